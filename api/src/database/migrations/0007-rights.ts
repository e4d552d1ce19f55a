import type { Knex } from 'knex';

export const name = '0007-rights';

/**
 * Limits the workers' role to reading and writing rows. The role could attach a SECURITY DEFINER trigger function to a
 * table of its own, and creating a temporary table needs no privilege on a schema. Both privileges are revoked.
 * Triggers fire without the privilege to execute their function. Imports stage their pins in a table of the schema
 * instead of a temporary one. It is unlogged because its rows never outlive a transaction.
 */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter function pin_tally_follow() set search_path = pg_catalog, public, pg_temp;
    alter function revision_follow() set search_path = pg_catalog, public, pg_temp;
    revoke execute on function pin_tally_follow(), revision_follow() from public;
    alter default privileges revoke execute on functions from public;

    revoke create on schema public from public;
    do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;

    create unlogged table staged_pin (
      latitude double precision, longitude double precision, country text, state text, city text, visited_at timestamptz
    );
  `);
}
