import type { Knex } from 'knex';
import { migrations } from './migrations/index.ts';

/** The newest step this program knows: what its queries need. */
export const requiredSchema = migrations.at(-1)?.name ?? '';

// Any constant serves, as long as every release uses the same one.
const lockKey = 7_021_004;

const appRole = 'map-app';

/**
 * Brings the schema up to this program's and returns the names of the steps it took. Each step is one transaction: a step that fails or is killed
 * leaves nothing behind, no lock either, which is what knex's own migrator cannot say. Two at once take turns. Steps of newer releases are left alone.
 */
export async function migrate(db: Knex): Promise<string[]> {
  const taken: string[] = [];
  for (const migration of migrations) {
    await alone(db, async (step) => {
      await step.raw(
        'create table if not exists schema_migration (name text primary key, applied_at timestamptz not null default now())',
      );
      const added = await step('schema_migration')
        .insert({ name: migration.name })
        .onConflict('name')
        .ignore()
        .returning('name');
      if (added.length === 0) return;
      await migration.up(step);
      taken.push(migration.name);
    });
  }
  await alone(db, grant);
  return taken;
}

/** A transaction that waits until no other process is in one of these. */
function alone(db: Knex, work: (transaction: Knex) => Promise<void>): Promise<void> {
  return db.transaction(async (transaction) => {
    await transaction.raw(`select pg_advisory_xact_lock(${lockKey})`);
    await work(transaction);
  });
}

/** Gives the workers' role what it needs, where there is such a role: rows of all tables, but tallies and revisions only through their triggers. */
async function grant(db: Knex): Promise<void> {
  const role = await db('pg_roles').where({ rolname: appRole }).first('rolname');
  const me = await db.first(db.raw('current_user as name'));
  if (!role || me.name === appRole) return;
  await db.raw(`
    grant usage on schema public to "${appRole}";
    grant select, insert, update, delete on all tables in schema public to "${appRole}";
    revoke insert, update, delete on pin_tally, revision, schema_migration from "${appRole}";
  `);
}
