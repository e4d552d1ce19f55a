import type { Knex } from 'knex';

export const name = '0009-pin-corrections';

// Pins whose names staff corrected manually. A column of "pin" would enlarge every row that the collections read.
export async function up(db: Knex): Promise<void> {
  await db.raw('create table pin_correction (pin_id bigint primary key references pin on delete cascade)');
}
