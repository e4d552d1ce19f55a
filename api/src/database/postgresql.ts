import { userInfo } from 'node:os';
import knex from 'knex';
import pg from 'pg';
import type { Database } from './database.ts';
import { silent } from './database.ts';

/**
 * A pool of connections to a PostgreSQL server. It connects at the first query. A URL without a user means the OS user,
 * as with psql.
 */
export function openPostgresql(url: string): Database {
  const connection = {
    connectionString: withUser(url),
    application_name: 'map-app',
    connectionTimeoutMillis: 3_000,
    keepAlive: true,
    // Counts fit a double exactly up to 2^53. Without this, the driver returns them as strings.
    types: {
      getTypeParser: (oid: Parameters<typeof pg.types.getTypeParser>[0], format?: 'text') =>
        oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
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
  // Uses string operations, because the URL class does not accept a user without a host, and libpq does.
  if (/^\w+:\/\/[^/?]*@/.test(url) || /[?&]user=/.test(url)) return url;
  return `${url}${url.includes('?') ? '&' : '?'}user=${encodeURIComponent(userInfo().username)}`;
}
