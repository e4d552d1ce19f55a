import type { Knex } from 'knex';
import { batched } from '../database/batched.ts';
import { inPages } from '../database/pages.ts';
import { retrying } from '../database/retry.ts';
import { checkRequest, type Claim } from '../database/claim.ts';
import type { PinRow } from '../database/tables.ts';
import type { Place } from '../geocoder/geocoder.ts';
import type { Pin } from './schema.ts';

type NewPin = Omit<PinRow, 'id' | 'visited_at'>;

/** The numbers of pins in the city, state and country of a pin, just after it was stored. 0 if it has no city or state. */
type PlaceCounts = { city_count: number; state_count: number; country_count: number };

/** A new point with the names derived from it, names entered by staff, or both. */
type PinChange = {
  move?: (Pick<PinRow, 'latitude' | 'longitude'> & Place) | undefined;
  names?: Partial<Place> | undefined;
};

type Totals = { total_visitors: number; unique_states: number; unique_countries: number };
type Regional = { this_state_count: number; this_country_count: number };

/** The columns of a pin without its text as GeoJSON, which only the collections read. */
const columns = ['id', 'latitude', 'longitude', 'country', 'state', 'city', 'visited_at'] as const;

/** Larger batches would hold the locks on the tallies for too long. */
const mostAtOnce = 100;

export function pinStore(db: Knex) {
  const insert = batched(mostAtOnce, async (pins: (NewPin & Claim)[]) => {
    const { rows } = await retrying(db, () =>
      db.raw<{ rows: (Claim & PlaceCounts)[] }>('select * from pin_insert_once(?)', [JSON.stringify(pins)]),
    );
    const kept = new Map(rows.map((row) => [row.key, row]));
    return pins.map(({ key }) => kept.get(key)!);
  });
  return {
    /**
     * Stores a pin at the current time, once for all repetitions of the request, and returns the counts at that moment. Throws `KeyReused` if
     * the key was used for another request.
     */
    async add(pin: NewPin, claim: Claim): Promise<PlaceCounts> {
      const { request, city_count, state_count, country_count } = await insert({ ...pin, ...claim });
      checkRequest(claim, request);
      return { city_count, state_count, country_count };
    },

    /** All pins in the order of their ids, or those of one country, state or city. */
    list: (filter: { country?: string; state?: string; city?: string } = {}): AsyncIterable<Pin[]> =>
      inPages(
        async (after, limit) =>
          db('pin').where(filter).where('id', '>', after).orderBy('id').limit(limit).select(columns),
        pinOf,
      ),

    /**
     * Changes a pin and updates all counts. `names` are entered by staff, and later renaming keeps them. A `move` without
     * names derives the names again. Returns the changed pin, or undefined if the id is unknown.
     */
    correct: (id: number, { move, names }: PinChange): Promise<Pin | undefined> =>
      retrying(db, () =>
        db.transaction(async (transaction) => {
          const [row] = await transaction('pin')
            .where({ id })
            .update({ ...move, ...names })
            .returning(columns);
          if (!row) return undefined;
          const marks = transaction('pin_correction');
          if (names) await marks.insert({ pin_id: id }).onConflict().ignore();
          else await marks.where({ pin_id: id }).delete();
          return pinOf(row);
        }),
      ),

    /** Deletes a pin and updates all counts. Returns whether the pin existed. */
    remove: async (id: number): Promise<boolean> =>
      (await retrying(db, async () => db('pin').where({ id }).delete())) === 1,

    /** Returns the totals of all pins. Counts only states of the United States. */
    async totals(): Promise<Totals> {
      const { rows } = await db.raw<{ rows: [Totals] }>(`
        select coalesce(sum(total) filter (where state is null), 0)::bigint as total_visitors,
               count(*) filter (where state is not null and country = 'United States of America') as unique_states,
               count(*) filter (where state is null) as unique_countries
        from pin_tally
        where city is null and total > 0`);
      return rows[0];
    },

    /** Returns the number of pins in a country, and in one of its states. */
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

/** Converts a row to a pin of the API. */
export function pinOf({ id, latitude, longitude, city, state, country, visited_at }: PinRow): Pin {
  return {
    id,
    coordinates: { latitude, longitude },
    city,
    state,
    country,
    visit_date: visited_at.toISOString(),
  };
}
