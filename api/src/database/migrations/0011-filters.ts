import type { Knex } from 'knex';

export const name = '0011-filters';

// Pages of filtered or sorted pins are read in the order of these indexes. Each begins with the column of the index
// that it replaces.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create index pin_country_id on pin (country, id);
    create index pin_state_id on pin (state, id);
    create index pin_city_id on pin (city, id);
    create index pin_visit_id on pin (visited_at, id);
    drop index pin_country, pin_state, pin_city, pin_visit;
  `);
}
