import type { Knex } from 'knex';

export const name = '0015-pin-index';

// Contains the id, so that the ids in a box are found without reading the pins. Writes wait while it is built: 2 s for
// 1,000,000 pins.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create index pin_point_id on pin (longitude, latitude) include (id);
    drop index pin_point;
  `);
}
