import type { RequestListener } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Registry } from '@prometheus-io/client';
import type { Knex } from 'knex';
import type { CacheUse } from '../cache/cache.ts';
import type { DiskWatch } from '../database/disk.ts';
import type { Readiness } from '../health/readiness.ts';
import { causeOf, type Log } from '../log.ts';
import { gauge } from './gauge.ts';
import { countRequests } from './requests.ts';

/** The metrics of one worker: numbers without names, addresses or any other data of visitors. */
export type Metrics = {
  /** Wraps a listener and counts its requests by the patterns of their routes. */
  counting: (listener: RequestListener) => RequestListener;
  /** Wraps a listener and adds `GET /metrics` in the text format of Prometheus. */
  telling: (listener: RequestListener) => RequestListener;
  /** Counts a response of the cache. */
  cached: (use: CacheUse) => void;
};

type Sources = { db: Knex; disk: DiskWatch; readiness: Readiness; log: Log; version: string };

export function createMetrics(sources: Sources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  tellState(registry, sources);
  const cache = new Counter({
    name: 'map_app_cache_answers_total',
    help: 'Responses by source: a 304, the cache, the database, or a stream from the database because it is too large for the cache.',
    labelNames: ['use'],
    registers: [registry],
  });

  return {
    counting: countRequests(registry),

    telling: (listener) => (request, response) => {
      if (request.url !== '/metrics') return listener(request, response);
      registry.metrics().then(
        (text) => response.setHeader('Content-Type', registry.contentType).end(text),
        (error: unknown) => {
          sources.log.error('the metrics cannot be served', causeOf(error));
          response.destroy();
        },
      );
    },

    cached: (use) => cache.inc({ use }),
  };
}

/** Registers the gauges that are computed at each scrape. */
function tellState(registry: Registry, { db, disk, readiness, version }: Sources): void {
  new Gauge({
    name: 'map_app_release_info',
    help: 'The running release as a label, always 1.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  gauge(
    registry,
    'map_app_ready',
    'Whether the database accepts writes and has the schema of this release.',
    () => isReady(readiness),
  );
  gauge(registry, 'map_app_database_connections_used', 'Connections to the database in use.', () =>
    poolOf(db).numUsed(),
  );
  gauge(registry, 'map_app_database_connections_waited_for', 'Queries waiting for a connection.', () =>
    poolOf(db).numPendingAcquires(),
  );
  gauge(registry, 'map_app_storing', 'Whether the disk has enough free space for writes.', async () =>
    (await disk.trouble()) === null ? 1 : 0,
  );
  gauge(
    registry,
    'map_app_database_disk_free_bytes',
    'Free bytes on the disk of the database; NaN if it is not watched.',
    () => disk.free(),
  );
}

const patience = 1_000;

/** Also false if the database does not respond in time. */
function isReady(readiness: Readiness): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const late = setTimeout(() => resolve(0), patience);
  void readiness.check().then((cause) => {
    clearTimeout(late);
    resolve(cause === null ? 1 : 0);
  });
  return promise;
}

type Pool = { numUsed: () => number; numPendingAcquires: () => number };

const noPool: Pool = { numUsed: () => 0, numPendingAcquires: () => 0 };

/** knex's pool. The embedded database has no pool with counters. */
function poolOf(db: Knex): Pool {
  const { pool } = db.client as { pool?: Partial<Pool> };
  return pool?.numUsed ? (pool as Pool) : noPool;
}
