import type { Knex } from 'knex';
import type { FindCountries } from '../addresses/countries.ts';
import { readCsv } from '../csv/read.ts';
import { longestName } from '../pins/schema.ts';
import { degrees, quoted, requiredText, text, time } from './fields.ts';
import { readLines } from './lines.ts';
import { BadField, type Findings, parsed } from './problems.ts';
import type { Summary } from './summary.ts';

const columns = ['lat', 'long', 'city', 'state', 'country', 'visit_date'] as const;
const batchSize = 5000;

type Fields = Record<(typeof columns)[number], string>;

/**
 * Imports a CSV file of pins of any length. A country may be a code or a common name. A line and a stored pin are the
 * same pin if their point and time are equal, because stored names change when staff correct them or
 * `map-app pins rename` runs. Two visitors may drop a pin at the same point and time, so the lines of each point and time
 * are counted, and those beyond the number of stored pins are added.
 */
export async function importPins(
  db: Knex.Transaction,
  file: string,
  findings: Findings,
  findCountries: FindCountries,
): Promise<Summary> {
  const { problems, warnings } = findings;
  const unknown = new Set<string>();
  const records = readCsv(readLines(file), columns);
  const pins = parsed(file, records, findings, async ({ line, fields }) => {
    const pin = toPin(fields);
    const country = onlyCountry(await findCountries(pin.country), pin.country);
    if (country === undefined && !unknown.has(pin.country)) {
      unknown.add(pin.country);
      const text = `${quoted(pin.country)} is not known as a country and is stored as it is written`;
      warnings.push({ file, line, text });
    }
    return { ...pin, country: country ?? pin.country };
  });
  let inFile = 0;
  let batch: object[] = [];
  for await (const pin of pins) {
    inFile++;
    batch.push(pin);
    if (batch.length < batchSize) continue;
    await stage(db, batch);
    batch = [];
  }
  if (problems.length === 0) await stage(db, batch);
  const added = problems.length === 0 ? await insertStaged(db) : 0;
  return { what: 'pins', inFile, added, remarks: [] };
}

/** Returns undefined if the country is not known. Throws `BadField` if the name is ambiguous. */
function onlyCountry(names: string[], written: string): string | undefined {
  if (names.length > 1)
    throw new BadField(
      `country is ${quoted(written)}, which is ${names.join(' or ')}; write one of these names`,
    );
  return names[0];
}

function toPin(fields: Fields) {
  return {
    latitude: degrees('lat', fields.lat, 90),
    longitude: degrees('long', fields.long, 180),
    country: requiredText('country', fields.country, longestName),
    state: text('state', fields.state, longestName) || null,
    city: text('city', fields.city, longestName) || null,
    visited_at: time('visit_date', fields.visit_date),
  };
}

async function stage(db: Knex.Transaction, pins: object[]): Promise<void> {
  await db.raw('insert into staged_pin select * from jsonb_populate_recordset(null::staged_pin, ?)', [
    JSON.stringify(pins),
  ]);
}

// One statement, so that the locks on the tallies are taken late, held briefly, and taken in the common order.
async function insertStaged(db: Knex.Transaction): Promise<number> {
  const { rows } = await db.raw<{ rows: { added: number }[] }>(`
    with added as (
      insert into pin (latitude, longitude, country, state, city, visited_at)
      select latitude, longitude, country, state, city, visited_at
      from (
        select *, row_number() over (partition by latitude, longitude, visited_at order by country, state, city) as nth
        from staged_pin
      ) as staged
      left join (
        select latitude, longitude, visited_at, count(*) as stored from pin group by latitude, longitude, visited_at
      ) as existing using (latitude, longitude, visited_at)
      where nth > coalesce(stored, 0)
      order by visited_at
      returning 1
    )
    select count(*)::int as added from added`);
  await db('staged_pin').delete();
  return rows[0]!.added;
}
