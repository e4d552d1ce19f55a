import { userInfo } from 'node:os';
import knex from 'knex';
import pg from 'pg';
import type { Database } from './database.ts';
import { silent } from './database.ts';

const bigint = 20;

/** A pool of connections to a PostgreSQL server; nothing is connected before the first query. A URL without a user means the OS user, as with psql. */
export function openPostgresql(url: string): Database {
  const connection = {
    connectionString: withUser(url),
    application_name: 'map-app',
    connectionTimeoutMillis: 3_000,
    keepAlive: true,
    // Counts fit a double exactly up to 2^53; without this the driver answers them as strings.
    types: {
      getTypeParser: (oid: number, format?: 'text') =>
        oid === bigint ? Number : pg.types.getTypeParser(oid, format),
    },
  };
  const db = knex({
    client: 'pg',
    connection: connection as object,
    pool: { min: 0, max: 10 },
    acquireConnectionTimeout: 5_000,
    log: silent,
  });
  return { db, close: () => db.destroy() };
}

function withUser(url: string): string {
  const parsed = new URL(url);
  // A URL without a host takes no user before it, but one among its parameters.
  if (!parsed.username && !parsed.searchParams.has('user')) {
    parsed.searchParams.set('user', userInfo().username);
  }
  return parsed.href;
}
