import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import knex from 'knex';
import type { Database } from './database.ts';
import { silent } from './database.ts';
import { lockFolder } from './folder-lock.ts';

/** PostgreSQL inside this process, its data in `folder`. Throws `BadConfiguration` if another process uses the folder: two would lose rows silently. */
export async function openEmbedded(folder: string): Promise<Database> {
  const unlock = lockFolder(folder);
  // Not in a release, so loaded only where it is used.
  const { PGlite } = await import('@electric-sql/pglite');
  const database = knexOver(await PGlite.create(join(folder, 'postgresql')));
  return { db: database.db, close: () => database.close().finally(unlock) };
}

/** knex over an embedded server that is already running; closing the one closes the other. */
export function knexOver(server: PGlite): Database {
  const db = knex({ client: 'pg', connectionPool: oneSession(server) as never, log: silent });
  return { db, close: () => db.destroy().then(() => server.close()) };
}

type Query = { text: string; values?: unknown[] };
type Answer = (error: Error | null, results?: object) => void;

/** What knex asks of the driver pg, served by the one session there is: a connection waits until the one before is released. */
function oneSession(server: PGlite) {
  let free = Promise.resolve();
  return {
    async connect() {
      const turn = free;
      const { promise, resolve } = Promise.withResolvers<void>();
      free = promise;
      await turn;
      return {
        query: (query: Query | string, answer: Answer) => run(server, query, answer),
        release: () => resolve(),
      };
    },
  };
}

function run(server: PGlite, query: Query | string, answer: Answer): void {
  const { text, values = [] } = typeof query === 'string' ? { text: query } : query;
  // Only `exec` takes several statements at once, only `query` takes values.
  const results: Promise<object | undefined> =
    values.length > 0 ? server.query(text, values) : server.exec(text).then((all) => all.at(-1));
  results.then(
    (last) => answer(null, last),
    (error: Error) => answer(error),
  );
}
