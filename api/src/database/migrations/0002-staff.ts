import type { Knex } from 'knex';

export const name = '0002-staff';

// A session references an address instead of a staff row, because the addresses in STAFF_EMAILS have no row.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table staff (
      email text primary key check (email = lower(email)),
      added_at timestamptz not null default now()
    );

    create table session (
      id uuid primary key default gen_random_uuid(),
      email text not null,
      expires_at timestamptz not null
    );
  `);
}
