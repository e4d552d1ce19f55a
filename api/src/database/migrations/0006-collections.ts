import type { Knex } from 'knex';

export const name = '0006-collections';

// Boxes and times are asked of all pins. Counts in a box read the first index alone.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create index pin_point on pin (longitude, latitude);
    create index pin_visit on pin (visited_at);
  `);
}
