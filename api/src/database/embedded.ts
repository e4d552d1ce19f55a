import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import knex from 'knex';
import { BadConfiguration, type Disk } from '../config.ts';
import { makeDataFolder, refuseOtherVersion, unusable } from './data-folder.ts';
import { type Database, silent } from './database.ts';
import { demandRoom } from './disk.ts';
import { lockFolder } from './folder-lock.ts';

/**
 * Opens PostgreSQL inside this process, with its data in `folder`. Throws `BadConfiguration` if the folder cannot be
 * used, or if another process uses it: two processes would silently lose rows. Throws `DiskFull` if its disk is almost
 * full.
 */
export async function openEmbedded(disk: Disk): Promise<Database> {
  makeDataFolder(disk.folder);
  await demandRoom(disk);
  const unlock = lockFolder(disk.folder);
  try {
    const database = knexOver(await startServer(disk.folder));
    return { db: database.db, close: () => database.close().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function startServer(folder: string): Promise<PGlite> {
  const data = join(folder, 'postgresql');
  const unfinished = join(folder, 'unfinished');
  // A release does not contain the module, so it is loaded only where it is used.
  const { PGlite } = await import('@electric-sql/pglite');
  try {
    // The first start was interrupted: the files are incomplete and contain no data.
    if (existsSync(unfinished)) rmSync(data, { recursive: true, force: true });
    if (!existsSync(data)) writeFileSync(unfinished, '');
    refuseOtherVersion(folder, data);
    const server = await PGlite.create(data);
    rmSync(unfinished, { force: true });
    return server;
  } catch (error) {
    throw error instanceof BadConfiguration ? error : unusable(folder, error);
  }
}

/** knex on an embedded server that is already running. Closing one closes the other. */
export function knexOver(server: PGlite): Database {
  const db = knex({ client: 'pg', connectionPool: oneSession(server) as never, log: silent });
  return { db, close: () => db.destroy().then(() => server.close()) };
}

type Query = { text: string; values?: unknown[] };
type Answer = (error: Error | null, results?: object) => void;

/**
 * Implements the part of the pg driver that knex uses, on the only session there is: a connection waits until the
 * previous one is released.
 */
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
  // Only `exec` accepts several statements, and only `query` accepts values.
  const results: Promise<object | undefined> =
    values.length > 0 ? server.query(text, values) : server.exec(text).then((all) => all.at(-1));
  results.then(
    (last) => answer(null, last),
    (error: Error) => answer(error),
  );
}
