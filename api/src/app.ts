import type { RequestListener } from 'node:http';
import { Router, type Request, type Response } from 'express';
import type { Knex } from 'knex';
import type { FindAddress } from './addresses/find.ts';
import { defaultPicture } from './animals/default-picture.ts';
import { animalRoutes } from './animals/routes.ts';
import { createCache, type CacheUse } from './cache/cache.ts';
import type { LookUp } from './cities/look-up.ts';
import { cityRoutes } from './cities/routes.ts';
import { cityStore } from './cities/store.ts';
import { collectionRoutes } from './collections/routes.ts';
import { countRoutes } from './counts/routes.ts';
import type { DiskWatch } from './database/disk.ts';
import { donationRoutes } from './donations/routes.ts';
import { donationStore } from './donations/store.ts';
import type { Geocoder } from './geocoder/geocoder.ts';
import type { Readiness } from './health/readiness.ts';
import { healthRoutes } from './health/routes.ts';
import { documentation } from './docs/docs.ts';
import { cors, unknownPreflight } from './http/cors.ts';
import { failures, nothingHere } from './http/failure.ts';
import { openapi } from './http/openapi.ts';
import { unknownPage } from './http/page.ts';
import { normalizePath } from './http/path.ts';
import { identify } from './http/request-id.ts';
import { mount } from './http/mount.ts';
import type { Route } from './http/route.ts';
import type { Log } from './log.ts';
import type { Mailer } from './mail/mailer.ts';
import type { Pictures } from './pictures/pictures.ts';
import { uploadReader } from './pictures/reader.ts';
import { pictureRoutes } from './pictures/routes.ts';
import { pictureStore } from './pictures/store.ts';
import { pinRoutes } from './pins/routes.ts';
import { removalRoutes } from './removal/routes.ts';
import { answerRemoval, pinRemoval } from './removal/store.ts';
import { reportsFrom } from './reports/reports.ts';
import { reportRoutes } from './reports/routes.ts';
import { reportStore } from './reports/store.ts';
import { staffGate, type SignIn } from './staff/gate.ts';
import { staffRoutes } from './staff/routes.ts';
import { refuseOtherSites } from './staff/same-site.ts';
import { signInRouter } from './staff/sign-in.ts';
import { sessionCookies } from './staff/session.ts';
import { staffStore } from './staff/store.ts';
import type { VerifyToken } from './staff/token.ts';
import { surveyRoutes } from './survey/routes.ts';

export type Dependencies = {
  db: Knex;
  disk: DiskWatch;
  geocoder: Geocoder;
  findAddress: FindAddress;
  /** Null if no image service is configured. */
  lookUpCity: LookUp | null;
  pictures: Pictures;
  readiness: Readiness;
  log: Log;
  /** Called for each response of the cache. */
  cached: (use: CacheUse) => void;
  corsOrigins: ReadonlySet<string>;
  verifyToken: VerifyToken;
  /** Null if sign-in is not configured. */
  googleClientId: string | null;
  /** Staff addresses in addition to those in the database, in lower case. */
  staffEmails: ReadonlySet<string>;
  /** 32 bytes that encrypt the session cookie. */
  sessionKey: Uint8Array;
  /** The URL of the donation page, or null if there is none. */
  donationUrl: string | null;
  /** Null if no mail server is configured. */
  mailer: Mailer | null;
  version: string;
};

/** Declares every route of the API, grouped by feature. */
export function declareRoutes(dependencies: Dependencies): Route[] {
  const { db, disk, geocoder, findAddress, lookUpCity, readiness, donationUrl, mailer } = dependencies;
  return [
    ...feature('Pins', "Visitors' pins, and how many there are.", pinRoutes(geocoder)),
    ...feature('Animals', 'Rescued animals.', animalRoutes(findAddress)),
    ...feature('Pictures', 'Pictures of animals and of cities.', [
      ...pictureRoutes(pictureStore(db), defaultPicture()),
      ...cityRoutes(cityStore(db), lookUpCity, disk),
    ]),
    ...feature('Survey', "Questions, their options and visitors' answers.", surveyRoutes()),
    ...feature('Totals', 'Numbers that staff keep, such as rescues.', countRoutes()),
    ...feature(
      'Donations',
      'The donation page and its visits.',
      donationRoutes(donationStore(db), donationUrl),
    ),
    ...feature('Collections', 'Pins and animals as OGC API – Features.', collectionRoutes(db)),
    ...feature(
      'Removal',
      'For staff: removal of spam.',
      removalRoutes(pinRemoval(db), answerRemoval(db), dependencies.log),
    ),
    ...feature(
      'Reports',
      'For staff: all rows as JSON or CSV, also by mail.',
      reportRoutes(reportsFrom(reportStore(db)), mailer),
    ),
    ...feature('Sign-in', 'Sessions of staff.', staffRoutes(signInOf(dependencies), dependencies.log)),
    ...feature('Health', 'For load balancers and monitoring.', healthRoutes(readiness, disk)),
  ];
}

function feature(name: string, description: string, routes: Route[]): Route[] {
  const feature = { name, description };
  return routes.map((route) => ({ ...route, feature }));
}

function signInOf({ db, staffEmails, sessionKey, verifyToken }: Dependencies): SignIn {
  return { store: staffStore(db, staffEmails), cookies: sessionCookies(sessionKey), verifyToken };
}

/**
 * Returns the API as one request listener. All dependencies are passed in: it reads neither the environment nor the
 * clock. It uses only Express's router: what Express's application adds to each request costs as much again as Node
 * itself.
 */
export function createApp(dependencies: Dependencies): RequestListener {
  const { db, disk, log, readiness, corsOrigins, googleClientId, version } = dependencies;
  const signIn = signInOf(dependencies);
  const routes = declareRoutes(dependencies);
  const app = Router();
  app.use(identify);
  app.use(normalizePath);
  app.use(cors(corsOrigins));
  app.use(refuseOtherSites);
  app.use(documentation(() => openapi(routes, version)));
  app.use(signInRouter({ signIn, clientId: googleClientId, disk, log }));
  app.use(
    mount(routes, {
      cache: createCache(db, version, dependencies.cached),
      db,
      disk,
      gate: staffGate(signIn),
      log,
      uploadReader: uploadReader(dependencies.pictures),
    }),
  );
  app.use(unknownPreflight);
  app.use(unknownPage);
  app.use(nothingHere);
  app.use(failures(log, readiness.suspect));
  return (request, response) => app(request as Request, response as Response, () => response.destroy());
}
