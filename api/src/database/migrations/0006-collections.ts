import type { Knex } from 'knex';

export const name = '0006-collections';

// Queries filter all pins by bounding box and time. Counts in a box need only the first index.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create index pin_point on pin (longitude, latitude);
    create index pin_visit on pin (visited_at);
  `);
}
