import type { Knex } from 'knex';
import { inPages } from '../database/pages.ts';
import type { AnimalRow, PinRow } from '../database/tables.ts';
import { pictureUrl } from '../pictures/store.ts';
import type { Box } from './bbox.ts';
import type { Interval } from './datetime.ts';
import type { AnimalProperties, PinProperties } from './schema.ts';

/** What somebody wants of a collection, after an id. */
export type Wanted = { bbox?: Box; datetime?: Interval; after: number };

/** A row as it is published: flat, as in CSV. */
export type Item<Properties> = { id: number; longitude: number; latitude: number } & Properties;

/** The items of one collection, in the order of their ids. `base` is where the API is, for addresses among the properties. */
export type ItemStore<Properties> = {
  first: (limit: number, wanted: Wanted, base: string) => Promise<Item<Properties>[]>;
  /** All, in pages. */
  all: (wanted: Wanted, base: string) => AsyncIterable<Item<Properties>[]>;
  find: (id: number, base: string) => Promise<Item<Properties> | undefined>;
  /** The database's time, and how many items there are. */
  state: () => Promise<{ now: Date; total: number }>;
};

/** Conditions in SQL and the values of their names. */
type Conditions = { sql: string[]; values: Record<string, number> };

type Table<Row, Properties> = {
  name: 'pin' | 'animal';
  select: string;
  during: (interval: Interval) => Conditions;
  /** SQL that counts all rows. */
  total: string;
  make: (row: Row, base: string) => Item<Properties>;
};

export function pinItems(db: Knex): ItemStore<PinProperties> {
  return itemsOf<PinRow, PinProperties>(db, {
    name: 'pin',
    select: 'select pin.* from pin',
    during: ({ from, before }) => ({
      sql: [
        ...(from === null ? [] : ['visited_at >= to_timestamp(:from)']),
        ...(before === null ? [] : ['visited_at < to_timestamp(:before)']),
      ],
      values: { from: (from ?? 0) / 1_000, before: (before ?? 0) / 1_000 },
    }),
    total: 'select coalesce(sum(total), 0)::bigint from pin_tally where state is null and city is null',
    make: ({ visited_at, ...pin }) => ({ ...pin, visit_date: visited_at.toISOString() }),
  });
}

export function animalItems(db: Knex): ItemStore<AnimalProperties> {
  return itemsOf<AnimalRow & { sha256: string | null }, AnimalProperties>(db, {
    name: 'animal',
    select: 'select animal.*, sha256 from animal left join picture on picture.id = animal.picture_id',
    // An animal's time is a year. Without one it has none, and no time finds it.
    during: ({ from, before }) => ({
      sql: ['placement_year >= :from', 'placement_year <= :until'],
      values: {
        from: from === null ? 0 : new Date(from).getUTCFullYear(),
        until: before === null ? 9_999 : new Date(before - 1).getUTCFullYear(),
      },
    }),
    total: 'select count(*) from animal',
    make: ({ id, longitude, latitude, name, location_name, placement_year, type, notes, sha256 }, base) => ({
      id,
      longitude,
      latitude,
      animal_name: name,
      location_name,
      placement_year,
      animal_type: type,
      animal_notes: notes,
      picture_url: sha256 === null ? null : base + pictureUrl(sha256),
    }),
  });
}

function itemsOf<Row extends { id: number }, Properties>(
  db: Knex,
  { name, select, during, total, make }: Table<Row, Properties>,
): ItemStore<Properties> {
  const page = async ({ bbox, datetime }: Wanted, after: number, limit: number): Promise<Row[]> => {
    const [inBox, inTime] = [bbox ? within(bbox) : nothing, datetime ? during(datetime) : nothing];
    const conditions = [`${name}.id > :after`, ...inBox.sql, ...inTime.sql].join(' and ');
    const { rows } = await db.raw<{ rows: Row[] }>(
      `${select} where ${conditions} order by ${name}.id limit :limit`,
      { after, limit, ...inBox.values, ...inTime.values },
    );
    return rows;
  };
  return {
    first: async (limit, wanted, base) =>
      (await page(wanted, wanted.after, limit)).map((row) => make(row, base)),
    all: (wanted, base) =>
      inPages(
        (after, limit) => page(wanted, Math.max(after, wanted.after), limit),
        (row) => make(row, base),
      ),
    async find(id, base) {
      const { rows } = await db.raw<{ rows: Row[] }>(`${select} where ${name}.id = ?`, [id]);
      return rows.map((row) => make(row, base))[0];
    },
    async state() {
      const { rows } = await db.raw<{ rows: [{ now: Date; total: number }] }>(
        `select now(), (${total}) as total`,
      );
      return rows[0];
    },
  };
}

const nothing: Conditions = { sql: [], values: {} };

function within({ west, south, east, north }: Box): Conditions {
  const across = west <= east ? 'and' : 'or';
  return {
    sql: ['latitude >= :south and latitude <= :north', `(longitude >= :west ${across} longitude <= :east)`],
    values: { west, south, east, north },
  };
}
