import express, { type Express } from 'express';
import type { Knex } from 'knex';
import { animalRoutes } from './animals/routes.ts';
import { animalStore } from './animals/store.ts';
import { countRoutes } from './counts/routes.ts';
import { countStore } from './counts/store.ts';
import type { Geocoder } from './geocoder/geocoder.ts';
import type { Readiness } from './health/readiness.ts';
import { healthRoutes } from './health/routes.ts';
import { cors } from './http/cors.ts';
import { failures, nothingHere } from './http/failure.ts';
import { openapi } from './http/openapi.ts';
import { mount, type Route } from './http/route.ts';
import type { Log } from './log.ts';
import { pinRoutes } from './pins/routes.ts';
import { pinStore } from './pins/store.ts';
import { answer } from './http/answer.ts';
import { staffGate } from './staff/gate.ts';
import { sessionCookies } from './staff/session.ts';
import { staffStore } from './staff/store.ts';
import type { VerifyToken } from './staff/token.ts';

export type Dependencies = {
  db: Knex;
  geocoder: Geocoder;
  readiness: Readiness;
  log: Log;
  corsOrigins: ReadonlySet<string>;
  verifyToken: VerifyToken;
  /** Who is staff beside those in the database; in lower case. */
  staffEmails: ReadonlySet<string>;
  /** 32 bytes that encrypt the session cookie. */
  sessionKey: Uint8Array;
  version: string;
};

/** Every call of the API, declared. */
export function declareRoutes({ db, geocoder, readiness }: Dependencies): Route[] {
  return [
    ...pinRoutes(pinStore(db), geocoder),
    ...animalRoutes(animalStore(db)),
    ...countRoutes(countStore(db)),
    ...healthRoutes(readiness),
  ];
}

/** The API as one request listener. All that it needs is passed in: nothing is read from the environment or the clock. */
export function createApp(dependencies: Dependencies): Express {
  const { db, log, readiness, corsOrigins, staffEmails, sessionKey, verifyToken, version } = dependencies;
  const gate = staffGate({
    store: staffStore(db, staffEmails),
    cookies: sessionCookies(sessionKey),
    verifyToken,
  });
  const routes = declareRoutes(dependencies);
  const document = openapi(routes, version);
  const app = express();
  app.disable('x-powered-by');
  app.use(cors(corsOrigins));
  app.get('/openapi.json', (_request, response) => answer(response, 200, document));
  app.use(mount(routes, { gate, log }));
  app.use(nothingHere);
  app.use(failures(log, readiness.suspect));
  return app;
}
