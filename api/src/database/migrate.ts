import { setTimeout as wait } from 'node:timers/promises';
import type { Knex } from 'knex';
import { migrations, type Migration } from './migrations/index.ts';
import { trouble } from './trouble.ts';

/** The newest migration that this program contains. Its queries need it. */
export const requiredSchema = migrations.at(-1)?.name ?? '';

const appRole = 'map-app';

// How long to wait for another migration to finish.
const turn = '60s';
// All later statements on a table queue behind one that waits for a lock. The timeout is too short for visitors to
// notice. The migration then retries.
const patience = '300ms';
const attempts = 5;
const pause = 1_000;

/** A migration failed and was rolled back. The message names the migration and the cause, for the operator. */
export class FailedStep extends Error {}

/**
 * Migrates the schema to the version of this program and returns the names of the applied migrations. Each migration is
 * one transaction: if it fails or is killed, it leaves nothing behind, not even a lock. knex's own migrator cannot
 * guarantee that. Concurrent runs take turns. Migrations of newer releases are ignored. Throws `FailedStep` if
 * PostgreSQL rejects a migration, or if its locks are not available after several attempts.
 */
export async function migrate(db: Knex, steps: readonly Migration[] = migrations): Promise<string[]> {
  const taken: string[] = [];
  for (const migration of steps) {
    await take(migration.name, db, async (step) => {
      const added = await step('schema_migration')
        .insert({ name: migration.name })
        .onConflict('name')
        .ignore()
        .returning('name');
      if (added.length === 0) return;
      await migration.up(step);
      // In the same transaction, because workers of the previous release may already call functions that the migration changed.
      await grant(step);
      taken.push(migration.name);
    });
  }
  await take('that grants privileges', db, grant);
  return taken;
}

async function take(name: string, db: Knex, work: (transaction: Knex) => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await alone(db, work);
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      // Two migrations that create the table of migrations at the same time conflict in the catalog.
      const locked = code === '55P03' || code === '23505' || code === '42P07';
      if (locked && attempt < attempts) await wait(pause);
      else if (locked)
        throw new FailedStep(
          `The migration ${name} was rolled back, because other transactions locked its tables in all ${attempts} attempts. Try again when they have ended.`,
        );
      else if (typeof code !== 'string' || trouble(error) !== null) throw error;
      // Only the message, without the SQL that knex puts before it, and without PostgreSQL's detail, which quotes data
      // of visitors.
      else
        throw new FailedStep(
          `The migration ${name} failed and was rolled back: ${message.split(' - ').at(-1)} (PostgreSQL code ${code}).`,
        );
    }
  }
}

/**
 * Runs a transaction that excludes all other migrations. It locks the table of migrations in a mode that the workers'
 * role may not use. An advisory lock would not do: any session could hold it forever.
 */
function alone(db: Knex, work: (transaction: Knex) => Promise<void>): Promise<void> {
  return db.transaction(async (transaction) => {
    await transaction.raw(`set local lock_timeout = '${turn}'`);
    await transaction.raw(
      'create table if not exists schema_migration (name text primary key, applied_at timestamptz not null default now())',
    );
    await transaction.raw('lock table schema_migration in share row exclusive mode');
    await transaction.raw(`set local lock_timeout = '${patience}'`);
    await work(transaction);
  });
}

/**
 * Grants the workers' role its privileges, if the role exists: reading and writing rows of all tables, except tallies
 * and revisions, which only triggers change; and executing functions that run with the caller's privileges, never
 * SECURITY DEFINER functions.
 */
async function grant(db: Knex): Promise<void> {
  const role = await db('pg_roles').where({ rolname: appRole }).first('rolname');
  const me = await db.first(db.raw('current_user as name'));
  if (!role || me.name === appRole) return;
  await db.raw(`
    grant usage on schema public to "${appRole}";
    revoke create on schema public from "${appRole}", public;
    grant select, insert, update, delete on all tables in schema public to "${appRole}";
    do $$
    declare
      callable record;
      read_only regclass;
    begin
      -- The first migrations run before all of these tables exist.
      foreach read_only in array array_remove(array[
        to_regclass('public.pin_tally'), to_regclass('public.revision'), to_regclass('public.schema_migration')], null)
      loop
        execute format('revoke insert, update, delete on %s from "${appRole}"', read_only);
      end loop;
      for callable in
        select oid::regprocedure as signature, prosecdef from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'
      loop
        if callable.prosecdef then
          execute format('revoke execute on function %s from public, "${appRole}"', callable.signature);
        else
          execute format('grant execute on function %s to "${appRole}"', callable.signature);
        end if;
      end loop;
    end $$;
  `);
}
