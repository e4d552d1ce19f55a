import { expect } from 'chai';
import { freshDatabase, type TestDatabase } from '../testing/database.ts';
import { migrate, requiredSchema } from './migrate.ts';
import { migrations } from './migrations/index.ts';

describe('migrate', () => {
  let database: TestDatabase;
  before(async function () {
    this.timeout(30_000);
    database = await freshDatabase();
    await database.db.raw('drop schema public cascade; create schema public');
  });
  after(() => database.close());

  it('takes every step once, however many run it at the same time', async () => {
    const taken = await Promise.all([1, 2, 3].map(() => migrate(database.db)));
    expect(taken.flat().sort()).to.deep.equal(migrations.map(({ name }) => name));
    expect(await migrate(database.db)).to.deep.equal([]);
  });

  it('leaves steps of a newer release alone', async () => {
    await database.db('schema_migration').insert({ name: '9999-from-the-future' });
    expect(await migrate(database.db)).to.deep.equal([]);
    const names = await database.db('schema_migration').orderBy('name').pluck('name');
    expect(names).to.deep.equal([...migrations.map(({ name }) => name), '9999-from-the-future']);
    expect(requiredSchema).to.equal(migrations.at(-1)?.name);
  });

  it("gives the workers' role its rights: rows of tables, but tallies and the schema only to read", async () => {
    const { db } = database;
    await db.raw(`do $$ begin create role "map-app"; exception when duplicate_object then null; end $$`);
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
      return (await trx.raw("select country_count from pin_add(1, 2, 'A', null, null)")).rows;
    });
    expect(added).to.deep.equal({ country_count: 1 });
  });
});
