import type { Knex } from 'knex';
import type { AnimalRow, PinRow } from '../database/tables.ts';
import { pictureUrl } from '../pictures/store.ts';
import type { Box } from './bbox.ts';
import type { Interval } from './datetime.ts';
import type { AnimalProperties, Extent, PinProperties } from './schema.ts';
import type { Cursor, Sort } from './sort.ts';

/** Selects and orders features. `filters` contains the queryables by name. */
export type Wanted = {
  bbox?: Box;
  datetime?: Interval;
  filters: Record<string, string | number>;
  sort?: Sort;
  after?: Cursor;
};

/** A row as published: flat, as in CSV. */
export type Item<Properties> = { id: number; longitude: number; latitude: number } & Properties;

/** `next` is null on the last page. */
export type ItemPage<Properties> = { items: Item<Properties>[]; next: Cursor | null };

/** The items of one collection, ordered by id unless sorted. `base` is the URL of the API, for URLs in properties. */
export type ItemStore<Properties> = {
  page: (limit: number, wanted: Wanted, base: string) => Promise<ItemPage<Properties>>;
  /** Yields all items in pages. Holds no connection or snapshot between two pages. */
  all: (wanted: Wanted, base: string) => AsyncIterable<Item<Properties>[]>;
  find: (id: number, base: string) => Promise<Item<Properties> | undefined>;
  /** Returns the database's time and the number of items. */
  state: () => Promise<{ now: Date; total: number }>;
  /** Returns null if there are no items. */
  extent: () => Promise<Extent | null>;
};

/** Conditions in SQL and the values of their named parameters. */
type Conditions = { sql: string[]; values: Record<string, string | number> };

/**
 * The sort order of a property: the SQL of its `value`, the SQL of a row's numeric `key`, and the SQL that converts
 * `:key` back to a value.
 */
type Order = { value: string; key: string; valueOfKey: string };

type Table<Row, Properties> = {
  name: 'pin' | 'animal';
  select: string;
  during: (interval: Interval) => Conditions;
  /** The column of each queryable. */
  columns: Record<string, string>;
  /** The order of each sortable property. */
  orders: Record<string, (descending: boolean) => Order>;
  /** SQL that counts all rows. */
  total: string;
  /** SQL of the first and the last time. */
  times: string;
  make: (row: Row, base: string) => Item<Properties>;
};

export function pinItems(db: Knex): ItemStore<PinProperties> {
  return itemsOf<PinRow, PinProperties>(db, {
    name: 'pin',
    select: 'pin.* from pin',
    during: ({ from, before }) => ({
      sql: [
        ...(from === null ? [] : ['visited_at >= to_timestamp(:from)']),
        ...(before === null ? [] : ['visited_at < to_timestamp(:before)']),
      ],
      values: { from: (from ?? 0) / 1_000, before: (before ?? 0) / 1_000 },
    }),
    columns: { country: 'country', state: 'state', city: 'city' },
    orders: {
      visit_date: () => ({
        value: 'visited_at',
        // In microseconds, PostgreSQL's resolution: two visits within a millisecond keep their order.
        key: '(extract(epoch from visited_at) * 1000000)::bigint',
        valueOfKey: "timestamptz 'epoch' + (:key)::float8 * interval '1 microsecond'",
      }),
    },
    total: 'select coalesce(sum(total), 0)::bigint from pin_tally where state is null and city is null',
    times: 'min(visited_at) as first, max(visited_at) as last',
    make: ({ id, longitude, latitude, city, state, country, visited_at }) => ({
      id,
      longitude,
      latitude,
      city,
      state,
      country,
      visit_date: visited_at.toISOString(),
    }),
  });
}

export function animalItems(db: Knex): ItemStore<AnimalProperties> {
  return itemsOf<AnimalRow & { sha256: string | null }, AnimalProperties>(db, {
    name: 'animal',
    select: 'animal.*, sha256 from animal left join picture on picture.id = animal.picture_id',
    // An animal's time is a year. Animals without a year match every interval.
    during: ({ from, before }) => ({
      sql: ['(placement_year between :from and :until or placement_year is null)'],
      values: {
        from: from === null ? 0 : new Date(from).getUTCFullYear(),
        until: before === null ? 9_999 : new Date(before - 1).getUTCFullYear(),
      },
    }),
    columns: { animal_type: 'type', placement_year: 'placement_year' },
    orders: {
      // Animals without a year come last in both directions.
      placement_year: (descending) => {
        const year = `coalesce(placement_year, ${descending ? -1 : 10_000})`;
        return { value: year, key: year, valueOfKey: '(:key)::integer' };
      },
    },
    total: 'select count(*) from animal',
    times: `make_timestamptz(min(placement_year), 1, 1, 0, 0, 0, 'UTC') as first,
            make_timestamptz(max(placement_year) + 1, 1, 1, 0, 0, 0, 'UTC') - interval '1 ms' as last`,
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

/** Rows per page of a stream. */
const pageOfStream = 1_000;

function itemsOf<Row extends { id: number }, Properties>(
  db: Knex,
  { name, select, during, columns, orders, total, times, make }: Table<Row, Properties>,
): ItemStore<Properties> {
  const page: ItemStore<Properties>['page'] = async (limit, wanted, base) => {
    const { bbox, datetime, filters, sort, after } = wanted;
    const order = sort && orders[sort.by]!(sort.descending);
    const parts = [
      ...(bbox ? [within(bbox)] : []),
      ...(datetime ? [during(datetime)] : []),
      filtered(filters, columns),
      ...(after ? [behind(`${name}.id`, after, sort, order)] : []),
    ];
    const conditions = ['true', ...parts.flatMap(({ sql }) => sql)].join(' and ');
    const direction = sort?.descending ? 'desc' : 'asc';
    const { rows } = await db.raw<{ rows: (Row & { sort_key?: number })[] }>(
      `select ${order ? `${order.key} as sort_key, ` : ''}${select}
       where ${conditions}
       order by ${order ? `${order.value} ${direction}, ` : ''}${name}.id ${direction}
       limit :rows`,
      Object.assign({ rows: limit + 1 }, ...parts.map(({ values }) => values)) as Record<string, number>,
    );
    const last = rows[limit - 1];
    return {
      items: rows.slice(0, limit).map((row) => make(row, base)),
      next:
        rows.length <= limit || !last
          ? null
          : { id: last.id, ...(last.sort_key !== undefined && { key: last.sort_key }) },
    };
  };
  return {
    page,
    async *all(wanted, base) {
      let after: Cursor | null | undefined = wanted.after;
      do {
        const { items, next } = await page(pageOfStream, { ...wanted, ...(after && { after }) }, base);
        yield items;
        after = next;
      } while (after);
    },
    async find(id, base) {
      const { rows } = await db.raw<{ rows: Row[] }>(`select ${select} where ${name}.id = ?`, [id]);
      return rows.map((row) => make(row, base))[0];
    },
    async state() {
      const { rows } = await db.raw<{ rows: [{ now: Date; total: number }] }>(
        `select now(), (${total}) as total`,
      );
      return rows[0];
    },
    async extent() {
      const { rows } = await db.raw<{ rows: [Bounds] }>(
        `select min(longitude) as west, min(latitude) as south, max(longitude) as east, max(latitude) as north, ${times} from ${name}`,
      );
      return extentOf(rows[0]);
    },
  };
}

type Bounds = {
  west: number | null;
  south: number;
  east: number;
  north: number;
  first: Date | null;
  last: Date | null;
};

function extentOf({ west, south, east, north, first, last }: Bounds): Extent | null {
  if (west === null) return null;
  const time = (moment: Date | null) => moment?.toISOString() ?? null;
  return {
    spatial: { bbox: [[west, south, east, north]] },
    temporal: { interval: [[time(first), time(last)]] },
  };
}

function within({ west, south, east, north }: Box): Conditions {
  const across = west <= east ? 'and' : 'or';
  return {
    sql: ['latitude >= :south and latitude <= :north', `(longitude >= :west ${across} longitude <= :east)`],
    values: { west, south, east, north },
  };
}

function filtered(filters: Wanted['filters'], columns: Record<string, string>): Conditions {
  const entries = Object.entries(filters);
  return {
    sql: entries.map(([queryable], number) => `${columns[queryable]!} = :filter${number}`),
    values: Object.fromEntries(entries.map(([, value], number) => [`filter${number}`, value])),
  };
}

/** Returns the condition for rows after a cursor. In descending order these have smaller keys. */
function behind(id: string, after: Cursor, sort?: Sort, order?: Order): Conditions {
  const sign = sort?.descending ? '<' : '>';
  if (!order || after.key === undefined)
    return { sql: [`${id} ${sign} :after`], values: { after: after.id } };
  return {
    sql: [`(${order.value}, ${id}) ${sign} (${order.valueOfKey}, :after)`],
    values: { key: after.key, after: after.id },
  };
}
