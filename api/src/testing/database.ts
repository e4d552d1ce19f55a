import { PGlite } from '@electric-sql/pglite';
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

let dump: Promise<Blob> | undefined;

async function copyEmbedded(): Promise<TestDatabase> {
  dump ??= dumpMigrated();
  return { ...knexOver(await PGlite.create({ loadDataDir: await dump })), url: null };
}

async function dumpMigrated(): Promise<Blob> {
  const server = await PGlite.create();
  await migrate(knexOver(server).db);
  const blob = await server.dumpDataDir('none');
  await server.close();
  return blob;
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
