import type { Knex } from 'knex';
import { readCsv } from './csv.ts';
import { degrees, requiredText, text, time } from './fields.ts';
import { parsed, type Remark } from './problems.ts';
import type { Summary } from './summary.ts';

const COLUMNS = ['lat', 'long', 'city', 'state', 'country', 'visit_date'] as const;
const BATCH = 5000;

/**
 * Brings in a CSV file of pins, of any length. Two visitors may have dropped the same pin at the same time, so
 * equal lines are counted: as many are added as the file has more than the database.
 */
export async function importPins(db: Knex.Transaction, file: string, problems: Remark[]): Promise<Summary> {
  const pins = parsed(file, readCsv(file, COLUMNS), problems, ({ fields }) => toPin(fields()));
  let inFile = 0;
  let batch: object[] = [];
  for await (const pin of pins) {
    inFile++;
    batch.push(pin);
    if (batch.length < BATCH) continue;
    await stage(db, batch);
    batch = [];
  }
  if (problems.length === 0) await stage(db, batch);
  const added = problems.length === 0 ? await insertStaged(db) : 0;
  return { what: 'pins', inFile, added, remarks: [], warnings: [] };
}

function toPin(fields: Record<(typeof COLUMNS)[number], string>) {
  return {
    latitude: degrees('lat', fields.lat, 90),
    longitude: degrees('long', fields.long, 180),
    country: requiredText('country', fields.country),
    state: text('state', fields.state) || null,
    city: text('city', fields.city) || null,
    visited_at: time('visit_date', fields.visit_date),
  };
}

async function stage(db: Knex.Transaction, pins: object[]): Promise<void> {
  await db.raw('insert into staged_pin select * from jsonb_populate_recordset(null::staged_pin, ?)', [
    JSON.stringify(pins),
  ]);
}

// One statement, so that the tallies are locked late, briefly, and in their one order.
async function insertStaged(db: Knex.Transaction): Promise<number> {
  const { rows } = await db.raw<{ rows: { added: number }[] }>(`
    with added as (
      insert into pin (latitude, longitude, country, state, city, visited_at)
      select * from (
        table staged_pin
        except all
        select latitude, longitude, country, state, city, visited_at from pin
      ) as missing
      order by visited_at
      returning 1
    )
    select count(*)::int as added from added`);
  await db('staged_pin').delete();
  return rows[0]!.added;
}
