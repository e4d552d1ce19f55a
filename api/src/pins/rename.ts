import type { Knex } from 'knex';
import { retrying } from '../database/retry.ts';
import type { PinRow } from '../database/tables.ts';
import type { Geocoder, Place } from '../geocoder/geocoder.ts';

/** The result of renaming, or of its dry run. `changes` maps each change of names to its number of pins. */
export type Renaming = {
  pins: number;
  renamed: number;
  inWater: number;
  /** Pins whose names staff corrected manually. */
  corrected: number;
  changes: Map<string, number>;
};

type NamedPin = Pick<PinRow, 'id' | 'latitude' | 'longitude'> & Place & { is_corrected: boolean };
type Renamed = { pin: NamedPin; place: Place };

/** Rows per statement. Few, because visitors' pins of the same places wait for each statement. */
const batchSize = 1_000;

const correction = 'select from pin_correction where pin_id = pin.id';

/**
 * Recomputes the names of stored pins, one batch at a time. The tallies change in the same statement. Pins that the
 * gazetteer places in water and pins whose names staff corrected keep their names. Running it again changes nothing
 * more. With `isTrial` it only counts what would change.
 */
export async function renamePins(db: Knex, geocoder: Geocoder, isTrial: boolean): Promise<Renaming> {
  const result: Renaming = { pins: 0, renamed: 0, inWater: 0, corrected: 0, changes: new Map() };
  let after = 0;
  for (;;) {
    const pins: NamedPin[] = await db('pin')
      .where('id', '>', after)
      .orderBy('id')
      .limit(batchSize)
      .select('id', 'latitude', 'longitude', 'country', 'state', 'city')
      .select(db.raw(`exists (${correction}) as is_corrected`));
    const renamed = pins.flatMap((pin) => differing(pin, geocoder, result));
    result.pins += pins.length;
    result.renamed += renamed.length > 0 && !isTrial ? await store(db, renamed) : renamed.length;
    for (const { pin, place } of renamed) count(result.changes, `${nameOf(pin)} → ${nameOf(place)}`);
    if (pins.length < batchSize) return result;
    after = pins.at(-1)!.id;
  }
}

/** Returns the pin with its new names, if they differ from the stored ones. */
function differing(pin: NamedPin, geocoder: Geocoder, result: Renaming): Renamed[] {
  if (pin.is_corrected) {
    result.corrected++;
    return [];
  }
  const place = geocoder.locate(pin.latitude, pin.longitude);
  if (!place) {
    result.inWater++;
    return [];
  }
  const isSame = place.city === pin.city && place.state === pin.state && place.country === pin.country;
  return isSame ? [] : [{ pin, place }];
}

/** Returns the number of renamed pins. Pins that staff correct or delete meanwhile are skipped. */
async function store(db: Knex, renamed: Renamed[]): Promise<number> {
  const rows = renamed.map(({ pin: { id, latitude, longitude }, place }) => ({
    id,
    latitude,
    longitude,
    ...place,
  }));
  const ids = rows.map(({ id }) => id);
  return retrying(db, () =>
    db.transaction(async (transaction) => {
      // The update then sees every correction made before these locks, and later corrections wait for it.
      await transaction('pin').whereIn('id', ids).orderBy('id').forNoKeyUpdate().select('id');
      const { rowCount } = await transaction.raw<{ rowCount: number }>(
        `update pin set country = new.country, state = new.state, city = new.city
         from jsonb_to_recordset(?::jsonb) as new (
           id bigint, latitude double precision, longitude double precision, country text, state text, city text
         )
         where pin.id = new.id
           and pin.latitude = new.latitude and pin.longitude = new.longitude
           and not exists (${correction})`,
        [JSON.stringify(rows)],
      );
      return rowCount;
    }),
  );
}

function nameOf({ city, state, country }: Place): string {
  return [city ?? '(no city)', state ?? '(no state)', country].join(', ');
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
