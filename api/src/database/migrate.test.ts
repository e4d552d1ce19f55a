import { expect } from 'chai';
import type { Knex } from 'knex';
import { freshDatabase, serverUrl, type TestDatabase } from '../testing/database.ts';
import { FailedStep, migrate, requiredSchema } from './migrate.ts';
import { migrations, type Migration } from './migrations/index.ts';
import { openPostgresql } from './postgresql.ts';

const createRole = (db: Knex) =>
  db.raw(`do $$ begin create role "map-app"; exception when duplicate_object then null; end $$`);

describe('migrate', () => {
  let database: TestDatabase;
  before(async function () {
    this.timeout(120_000);
    database = await freshDatabase();
    // As on a new machine: the workers' role exists before the first migration.
    await createRole(database.db);
    await database.db.raw('drop schema public cascade; create schema public');
  });
  after(() => database.close());

  it('applies every migration once, even if several processes run it concurrently', async () => {
    const taken = await Promise.all([1, 2, 3].map(() => migrate(database.db)));
    expect(taken.flat().sort()).to.deep.equal(migrations.map(({ name }) => name));
    expect(await migrate(database.db)).to.deep.equal([]);
  });

  it('keeps migrations of a newer release', async () => {
    await database.db('schema_migration').insert({ name: '9999-from-the-future' });
    expect(await migrate(database.db)).to.deep.equal([]);
    const names = await database.db('schema_migration').orderBy('name').pluck('name');
    expect(names).to.deep.equal([...migrations.map(({ name }) => name), '9999-from-the-future']);
    expect(requiredSchema).to.equal(migrations.at(-1)?.name);
  });

  it('names the failed migration and the cause, and rolls it back', async () => {
    const broken: Migration = {
      name: '9998-broken',
      up: async (step) => {
        await step.raw('create table half_done (id int)');
        await step.raw('select 1 / 0');
      },
    };
    const error = await migrate(database.db, [...migrations, broken]).catch((error: unknown) => error);
    expect(error).to.be.an.instanceOf(FailedStep);
    expect((error as Error).message).to.match(
      /^The migration 9998-broken failed .*: division by zero \(.*22012\)/,
    );
    expect(await database.db.schema.hasTable('half_done')).to.equal(false);
    expect(await database.db('schema_migration').where({ name: broken.name })).to.deep.equal([]);
  });

  // The embedded database has only one session.
  if (serverUrl)
    it('does not make other sessions queue behind its lock, and gives up after several attempts', async function () {
      this.timeout(20_000);
      const other = openPostgresql(database.url ?? '');
      const holder = await other.db.transaction();
      await holder.raw('lock table pin in access share mode');
      const expansion: Migration = {
        name: '9997-expansion',
        up: (step) => step.raw('alter table pin add column expanded int'),
      };
      let slowest = 0;
      const migrating = migrate(database.db, [expansion]).catch((error: unknown) => error);
      const progress = { over: false };
      void migrating.then(() => (progress.over = true));
      while (!progress.over) {
        const begin = performance.now();
        await other.db('pin').count();
        slowest = Math.max(slowest, performance.now() - begin);
      }
      expect(await migrating).to.be.an.instanceOf(FailedStep);
      expect(((await migrating) as Error).message).to.match(
        /9997-expansion was rolled back, because other transactions locked its tables/,
      );
      expect(slowest).to.be.lessThan(1_000);
      await holder.rollback();
      expect(await migrate(database.db, [expansion])).to.deep.equal(['9997-expansion']);
      await other.close();
    });

  if (serverUrl)
    it("cannot be blocked by locks that the workers' role may take", async function () {
      this.timeout(20_000);
      const { db } = database;
      await createRole(db);
      await migrate(db);
      const worker = openPostgresql(database.url ?? '');
      const holder = await worker.db.transaction();
      try {
        await holder.raw('set local role "map-app"');
        // The lock of earlier releases' migrations, and each mode in which this role may lock the table that migrations lock now.
        await holder.raw('select pg_advisory_xact_lock(7021004)');
        await holder.raw('lock table schema_migration in access share mode');
        const begin = performance.now();
        expect(await migrate(db)).to.deep.equal([]);
        expect(performance.now() - begin).to.be.lessThan(5_000);
        const more = await holder
          .raw('lock table schema_migration in row exclusive mode')
          .catch((error: unknown) => error);
        expect(String(more)).to.contain('permission denied');
      } finally {
        await holder.rollback();
        await worker.close();
      }
    });

  it("grants the workers' role its privileges even if several processes do so at the same time", async () => {
    const turns = Array.from({ length: 8 }, () => migrate(database.db));
    expect((await Promise.all(turns)).flat()).to.deep.equal([]);
  });

  it("grants the workers' role access to the rows of all tables, but only reads of tallies and the schema", async () => {
    const { db } = database;
    await migrate(db);
    const { rows } = await db.raw(`
      select c.relname as name, string_agg(p.privilege, ' ' order by p.privilege) as rights
      from pg_class c, unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as p(privilege)
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_table_privilege('map-app', c.oid, p.privilege)
      group by c.relname`);
    const rights = Object.fromEntries(
      rows.map((row: { name: string; rights: string }) => [row.name, row.rights]),
    );
    expect(rights).to.deep.include({
      pin: 'delete insert select update',
      animal: 'delete insert select update',
      pin_tally: 'select',
      schema_migration: 'select',
    });
    const [added] = await db.transaction(async (trx) => {
      await trx.raw('set local role "map-app"');
      return (
        await trx.raw('select country_count from pin_insert_once(?)', [
          JSON.stringify([{ key: 'aa', request: 'bb', latitude: 1, longitude: 2, country: 'A' }]),
        ])
      ).rows;
    });
    expect(added).to.deep.equal({ country_count: 1 });
  });

  describe("gives the workers' role no way to escalate its privileges", () => {
    /** Returns the error of a statement run by the workers' role, or undefined if it succeeds. Rolls it back. */
    const attempt = async (...statements: string[]): Promise<string | undefined> => {
      const failed = await database.db
        .transaction(async (trx) => {
          await trx.raw('set local role "map-app"');
          for (const statement of statements) await trx.raw(statement);
          await trx.raw('select 1 / 0');
        })
        .catch((error: Error) => error.message);
      return /division by zero/.test(String(failed)) ? undefined : String(failed);
    };

    it('through functions: PUBLIC cannot execute SECURITY DEFINER functions, and their search paths contain only trusted schemas', async () => {
      const { rows } = await database.db.raw(`
        select p.oid::regprocedure as name, array_to_string(proconfig, ';') as settings,
               exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0) as public
        from pg_proc p join pg_namespace n on n.oid = pronamespace
        where prosecdef and nspname not in ('pg_catalog', 'information_schema')`);
      expect(rows).to.have.length.at.least(2);
      for (const row of rows)
        expect(row).to.include({ public: false, settings: 'search_path=pg_catalog, public, pg_temp' });
    });

    it('through functions of later migrations', async () => {
      const { db } = database;
      await db.raw('create function later() returns int language sql security definer as $$ select 1 $$');
      await db.raw('create function plain() returns int language sql as $$ select 1 $$');
      expect(await attempt('select later()')).to.contain('permission denied');
      expect(await attempt('select plain()')).to.contain('permission denied');
      await migrate(db);
      expect(await attempt('select later()')).to.contain('permission denied');
      expect(await attempt('select plain()')).to.equal(undefined);
      await db.raw('drop function later(), plain()');
    });

    it('through rights that were granted since the last migration', async () => {
      const { db } = database;
      await db.raw('create function later() returns int language sql security definer as $$ select 1 $$');
      await db.raw('grant execute on function later() to public, "map-app"');
      await db.raw('grant create on schema public to public, "map-app"');
      expect(await attempt('select later()')).to.equal(undefined);
      expect(await attempt('create table public.taken ()')).to.equal(undefined);
      await migrate(db);
      expect(await attempt('select later()')).to.contain('permission denied');
      expect(await attempt('create table public.taken ()')).to.contain('permission denied');
      await db.raw('drop function later()');
    });

    it('through temporary tables, its own objects or the tallies', async () => {
      expect(await attempt('create temporary table trap (country text)')).to.contain('permission denied');
      expect(await attempt('create type pg_temp.bait as (text text)')).to.contain('permission denied');
      expect(await attempt('create table public.taken ()')).to.contain('permission denied');
      expect(await attempt('create function public.taken() returns int language sql return 1')).to.contain(
        'permission denied',
      );
      for (const statement of [
        "insert into pin_tally values ('Nowhere', null, null, 1)",
        'update pin_tally set total = 0',
        'delete from pin_tally',
        'truncate pin_tally',
        'update revision set number = 0',
        'truncate pin',
      ])
        expect(await attempt(statement), statement).to.match(/permission denied/);
    });

    it('but its triggers still work', async () => {
      expect(
        await attempt(
          "insert into pin (latitude, longitude, country) values (1, 2, 'A')",
          "update count set total = total + 1 where name = 'num_rescues'",
          'insert into staged_pin default values',
        ),
      ).to.equal(undefined);
    });
  });
});
