import type { Knex } from 'knex';
import { retrying } from '../database/retry.ts';
import type { Place } from '../geocoder/geocoder.ts';
import type { Pin, Point } from './schema.ts';

export type PinStore = ReturnType<typeof pinStore>;

type Added = { city_count: number; state_count: number; country_count: number };
type Totals = { total_visitors: number; unique_states: number; unique_countries: number };
type Regional = { this_state_count: number; this_country_count: number };

export function pinStore(db: Knex) {
  return {
    /** Stores a pin with the present time and answers the counts that include it. */
    async add({ lat, long }: Point, { country, state, city }: Place): Promise<Added> {
      const { rows } = await retrying(() =>
        db.raw<{ rows: [Added] }>('select * from pin_add(?, ?, ?, ?, ?)', [lat, long, country, state, city]),
      );
      return rows[0];
    },

    /** The pins in the order they came in, all of them or those of one country, state or city. */
    async list(filter: { country?: string; state?: string; city?: string } = {}): Promise<Pin[]> {
      const rows = await db('pin')
        .where(filter)
        .orderBy('id')
        .select('latitude', 'longitude', 'city', 'state', 'country', 'visited_at');
      return rows.map(({ latitude, longitude, visited_at, ...place }) => ({
        coordinates: { latitude, longitude },
        ...place,
        visit_date: visited_at.toISOString(),
      }));
    },

    /** The totals of all pins; states are those of the United States alone. */
    async totals(): Promise<Totals> {
      const { rows } = await db.raw<{ rows: [Totals] }>(`
        select coalesce(sum(total) filter (where state is null), 0)::bigint as total_visitors,
               count(*) filter (where state is not null and country = 'United States of America') as unique_states,
               count(*) filter (where state is null) as unique_countries
        from pin_tally
        where city is null and total > 0`);
      return rows[0];
    },

    /** How many pins a country has, and how many a state of it. */
    async region(country: string, state: string): Promise<Regional> {
      const { rows } = await db.raw<{ rows: [Regional] }>(
        `select coalesce(max(total) filter (where state is not null), 0) as this_state_count,
                coalesce(max(total) filter (where state is null), 0) as this_country_count
         from pin_tally
         where country = ? and city is null and (state is null or state = ?)`,
        [country, state],
      );
      return rows[0];
    },
  };
}
