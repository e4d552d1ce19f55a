import type { Knex } from 'knex';

export const name = '0014-fill-pin-features';

// The trigger of the previous migration writes the text. Locks only rows, so visitors read and drop pins meanwhile: 4 s for 100,000 pins.
export async function up(db: Knex): Promise<void> {
  await db.raw('update pin set feature = null where feature is null');
}
