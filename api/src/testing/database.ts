import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, openAsBlob, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import type { Knex } from 'knex';
import type { Database } from '../database/database.ts';
import { knexOver } from '../database/embedded.ts';
import { migrate } from '../database/migrate.ts';
import { openPostgresql } from '../database/postgresql.ts';

/** The superuser's URL of a server to test on. Without it the tests use the embedded database. */
export const serverUrl = process.env['TEST_DATABASE_URL'];

/** A separate database for a test file. `url` is null for the embedded database. */
export type TestDatabase = Database & { url: string | null };

/** Returns an empty database with the schema. Cheap: it is copied from a template that is migrated once per process. */
export async function freshDatabase(): Promise<TestDatabase> {
  return serverUrl ? copyOnServer(serverUrl) : copyEmbedded();
}

const tables = [
  'pin',
  'animal',
  'city_picture',
  'picture_size',
  'picture',
  'question',
  'option',
  'visitor_response',
  'donation_visit',
  'idempotency',
  'staff',
  'session',
];

const usedTables = tables
  .map((table) => `select '${table}' as name where exists (select from ${table})`)
  .concat(
    "select replace(sequencename, '_id_seq', '') from pg_sequences where last_value is not null",
    "select 'count' where (select array_agg((name, total)::text) from count) is distinct from '{\"(num_rescues,0)\"}'",
  )
  .join(' union ');

/**
 * Undoes what a test wrote: empties the tables that it used, restarts their ids and restores the seed. Skips unused
 * tables, because truncating is slow.
 */
export async function emptyTables(db: Knex): Promise<void> {
  const used = (await db.raw(usedTables)).rows.map(({ name }: { name: string }) => name);
  if (used.length > 0) await db.raw(`truncate ${used.join(', ')} restart identity cascade`);
  if (used.includes('count')) await db('count').insert({ name: 'num_rescues', total: 0 });
}

/**
 * Returns the environment variables with which a command opens this database. Processes cannot share the embedded one:
 * the command gets an empty database in `folder` instead, a copy, because creating one takes 4 s of processor time.
 */
export async function settingsFor(
  { url }: { url: string | null },
  folder: string,
): Promise<Record<string, string>> {
  if (url !== null) return { DATABASE_URL: url, SESSION_KEY: '00'.repeat(32) };
  dump ??= dumpMigrated();
  const data = join(folder, 'postgresql');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  execFileSync('tar', ['--extract', '--directory', data], {
    input: Buffer.from(await (await dump).arrayBuffer()),
    // It warns of the leading slashes that it removes.
    stdio: 'pipe',
  });
  return { DATA_DIR: folder };
}

let dump: Promise<Blob> | undefined;

async function copyEmbedded(): Promise<TestDatabase> {
  dump ??= dumpMigrated();
  return { ...knexOver(await PGlite.create({ loadDataDir: await dump })), url: null };
}

/** A file for the migrated database, with which mutation testing migrates once instead of 300 times. */
const migratedFile = process.env['TEST_DATABASE_FILE'];

async function dumpMigrated(): Promise<Blob> {
  if (migratedFile && existsSync(migratedFile)) return openAsBlob(migratedFile);
  const server = await PGlite.create({ loadDataDir: await emptyDump() });
  await migrate(knexOver(server).db);
  const blob = await server.dumpDataDir('none');
  await server.close();
  if (migratedFile) await writeWhole(migratedFile, blob);
  return blob;
}

const packages = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** Returns an empty database. Kept in a file, because creating one takes 4 s of processor time. */
async function emptyDump(): Promise<Blob> {
  const { version } = JSON.parse(
    readFileSync(join(packages, '@electric-sql/pglite/package.json'), 'utf8'),
  ) as { version: string };
  const folder = join(packages, '.cache/map-app');
  const file = join(folder, `postgresql-${version}.tar`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const server = await PGlite.create();
    const blob = await server.dumpDataDir('none');
    await server.close();
    await writeWhole(file, blob);
  }
  return openAsBlob(file);
}

/** Concurrent test runs see either no file or a whole one. */
async function writeWhole(file: string, blob: Blob): Promise<void> {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, Buffer.from(await blob.arrayBuffer()));
  renameSync(draft, file);
}

let template: Promise<string> | undefined;

// A root-level hook: this module is loaded outside of any `describe`.
after(async () => {
  if (serverUrl && template) await asAdmin(serverUrl, `drop database ${await template} with (force)`);
});

async function copyOnServer(admin: string): Promise<TestDatabase> {
  template ??= makeTemplate(admin);
  return createOnServer(admin, await template);
}

async function makeTemplate(admin: string): Promise<string> {
  const { db, name, close } = await create(admin, 'template1');
  await migrate(db);
  await close();
  return name;
}

async function createOnServer(admin: string, from: string): Promise<TestDatabase> {
  const { db, url, name, close } = await create(admin, from);
  return { db, url, close: () => close().then(() => asAdmin(admin, `drop database ${name} with (force)`)) };
}

let created = 0;

async function create(admin: string, from: string): Promise<Database & { url: string; name: string }> {
  const name = `test_${process.pid}_${created++}`;
  await asAdmin(admin, `create database ${name} template ${from}`);
  const url = admin.replace(/^(\w+:\/\/[^/]*\/)[^?]*/, `$1${name}`);
  return { ...openPostgresql(url), url, name };
}

async function asAdmin(admin: string, sql: string): Promise<void> {
  const { db, close } = openPostgresql(admin);
  try {
    await db.raw(sql);
  } finally {
    await close();
  }
}
