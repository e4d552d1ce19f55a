import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Knex } from 'knex';
import { createGazetteer } from '../addresses/gazetteer.ts';
import { addressFile } from '../addresses/load.ts';
import { askRemote } from '../addresses/remote.ts';
import { createApp } from '../app.ts';
import { lookUpAt } from '../cities/look-up.ts';
import { readConfig, type Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { nothingStored, watchDisk } from '../database/disk.ts';
import { requiredSchema } from '../database/migrate.ts';
import { openDatabase } from '../database/open.ts';
import { createGeocoder, loadPlaces } from '../geocoder/geocoder.ts';
import { watchDatabase } from '../health/readiness.ts';
import { detailedReadiness } from '../health/routes.ts';
import { causeOf, createLog, type Log } from '../log.ts';
import { smtpMailer } from '../mail/mailer.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { completePictures } from '../pictures/complete.ts';
import { createPictures, type Pictures } from '../pictures/pictures.ts';
import { tokenVerifier } from '../staff/token.ts';
import { version } from '../version.ts';
import { prepareEmbedded } from './embedded.ts';
import { addressOf, listen } from './listen.ts';
import { stoppable } from './stop.ts';
import { passedSocket, superviseBy } from './systemd.ts';

/** Runs one worker until it receives a signal to stop. The only place that connects all parts. */
export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env);
  const database = await openDatabase(config.database);
  try {
    if (config.database.kind === 'embedded') await prepareEmbedded(database.db);
    await serveFrom(database, config, env);
  } finally {
    await database.close();
  }
}

async function serveFrom({ db }: Database, config: Config, env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLog();
  const supervisor = superviseBy(env, log);
  let cause: string | null = null;
  const tellStatus = async () =>
    supervisor.status(cause ?? (await disk.trouble()) ?? `Serving, release ${version}`);
  const { database: place } = config;
  const isEmbedded = place.kind === 'embedded';
  const disk = watchDisk({
    disk: isEmbedded ? place : config.disk,
    log,
    changed: () => void tellStatus(),
  });
  const readiness = watchDatabase({
    db,
    schema: requiredSchema,
    log,
    // The embedded database has only this worker, and no load balancer that would take it out of service.
    alsoRequired: isEmbedded ? async () => (await disk.trouble()) && nothingStored : undefined,
    changed: (known) => {
      cause = known;
      void tellStatus();
    },
  });
  const metrics = createMetrics({ db, disk, readiness, log, version });
  const pictures = createPictures();
  const api = createApp({
    db,
    disk,
    geocoder: createGeocoder(await loadPlaces()),
    findAddress: config.geocoder ? askRemote(config.geocoder, log) : createGazetteer(addressFile),
    lookUpCity: config.imageUrl === null ? null : lookUpAt(config.imageUrl, pictures, log),
    pictures,
    readiness,
    log,
    cached: metrics.cached,
    corsOrigins: config.corsOrigins,
    verifyToken: tokenVerifier(config.google, log),
    googleClientId: config.google.clientId,
    staffEmails: config.staffEmails,
    // Without a configured key, sessions end with this process.
    sessionKey: config.sessionKey ?? randomBytes(32),
    donationUrl: config.donationUrl,
    mailer: config.mail && smtpMailer(config.mail, log),
    version,
  });
  const app = metrics.counting(api);

  const socket = passedSocket(env);
  const main = await listen(app, socket === null ? config.listen : { fd: socket });
  const servers = [main];
  if (config.workerSocket) {
    const own = metrics.telling(detailedReadiness(app, readiness, disk));
    servers.push(await listen(own, { path: config.workerSocket }));
  }
  const stops = servers.map(stoppable);
  if (socket === null) {
    process.stdout.write(`map-app listens on ${addressOf(main)}\n`);
  }
  // Not awaited: a worker starts, and reports what is wrong, while its database is down.
  void readiness.check();
  supervisor.ready();

  const stopping = new AbortController();
  void completeLater(db, pictures, log, stopping.signal);
  const signal = await toldToStop();
  stopping.abort();
  log.info('stopping', { signal });
  supervisor.stopping();
  await Promise.all(stops.map((stop) => stop()));
  readiness.stop();
  disk.stop();
  supervisor.close();
}

/** Converts pictures of earlier releases, after the deploy that started this worker has stopped watching it. */
async function completeLater(db: Knex, pictures: Pictures, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await wait(60_000 + Math.random() * 60_000, undefined, { signal, ref: false });
    const completed = await completePictures(db, pictures, log, signal);
    if (completed > 0) log.info('pictures of earlier releases are converted', { pictures: completed });
  } catch (error) {
    // The next start tries again.
    if (!signal.aborted) log.error('pictures of earlier releases cannot be converted', causeOf(error));
  }
}

function toldToStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
