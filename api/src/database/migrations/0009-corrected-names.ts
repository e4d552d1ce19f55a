import type { Knex } from 'knex';

export const name = '0009-corrected-names';

/** Marks the pins whose names staff corrected, so that `map-app pins rename` keeps them. */
export async function up(db: Knex): Promise<void> {
  await db.raw('alter table pin add column names_corrected boolean not null default false');
}
