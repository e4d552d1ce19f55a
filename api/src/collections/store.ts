import type { Knex } from 'knex';
import { stateInSql } from '../cache/state.ts';
import { pictureUrl } from '../pictures/store.ts';
import { batched } from '../database/batched.ts';
import { statements, type Values } from '../database/statements.ts';
import { areaOf, degreesOf, type Box } from './bbox.ts';
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

/**
 * A page as GeoJSON. `features` is the text of the features, separated by commas. `total` counts all items; null if a
 * condition selects some, because these would have to be counted one by one. `now` is the database's time.
 */
export type FeaturePage = {
  features: string;
  returned: number;
  next: Cursor | null;
  total: number | null;
  now: Date;
};

/** The items of one collection, ordered by id unless sorted. `base` is the URL of the API, for URLs in properties. */
export type ItemStore<Properties> = {
  page: (limit: number, wanted: Wanted, base: string) => Promise<ItemPage<Properties>>;
  /** Yields all items in pages. Holds no connection or snapshot between two pages. */
  all: (wanted: Wanted, base: string) => AsyncIterable<Item<Properties>[]>;
  features: (limit: number, wanted: Wanted, base: string) => Promise<FeaturePage>;
  /** Returns the text of one feature as GeoJSON. */
  feature: (id: number, base: string) => Promise<string | undefined>;
  /** Returns null if there are no items. */
  extent: () => Promise<Extent | null>;
};

/** Conditions in SQL and the values of their named parameters. */
type Conditions = { sql: string[]; values: Values };

/**
 * The sort order of a property: the SQL of its `value`, the SQL of a row's numeric `key`, and the SQL that converts
 * `:key` back to a value.
 */
type Order = { value: string; key: string; valueOfKey: string };

type Table<Properties> = {
  name: 'pin' | 'animal';
  from: string;
  /** The SQL of a feature's text. `pictures` is the SQL of the URL of all pictures, without a digest. */
  feature: (pictures: string) => string;
  /** The SQL of each property. */
  properties: (pictures: string) => Record<keyof Properties & string, string>;
  during: (interval: Interval) => Conditions;
  /** The column of each queryable. */
  columns: Record<string, string>;
  /** The order of each sortable property. */
  orders: Record<string, (descending: boolean) => Order>;
  /** SQL that counts all rows. */
  total: string;
  /** SQL of the first and the last time. */
  times: string;
};

export function pinItems(db: Knex): ItemStore<PinProperties> {
  return itemsOf<PinProperties>(db, {
    name: 'pin',
    from: 'pin',
    // Written by a trigger.
    feature: () => 'feature',
    properties: () => ({
      city: 'city',
      state: 'state',
      country: 'country',
      visit_date: `to_char(visited_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    }),
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
  });
}

export function animalItems(db: Knex): ItemStore<AnimalProperties> {
  const properties = (pictures: string) => ({
    animal_name: 'name',
    location_name: 'location_name',
    placement_year: 'placement_year',
    animal_type: 'type',
    animal_notes: 'notes',
    picture_url: `${pictures} || sha256`,
  });
  return itemsOf<AnimalProperties>(db, {
    name: 'animal',
    from: 'animal left join picture on picture.id = animal.picture_id',
    feature: (
      pictures,
    ) => `concat('{"type":"Feature","id":', animal.id, ',"geometry":{"type":"Point","coordinates":[', longitude, ',', latitude,
      ']},"properties":', (select row_to_json(properties) from (select ${columnsOf(properties(pictures))}) as properties), '}')`,
    properties,
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
  });
}

const columnsOf = (properties: Record<string, string>): string =>
  Object.entries(properties)
    .map(([property, sql]) => `${sql} as ${property}`)
    .join(', ');

/** A page in one row. `found` counts the next page's first item, `id` and `sort_key` are those of the last item. */
type PageRow = {
  features: string;
  found: number;
  id: number;
  sort_key: number | null;
  /** Null if only some items are selected, or if their state is the known one. */
  total: number | null;
  state: string;
  now: Date;
  matching: number;
};

/** Rows per page of a stream. */
const pageOfStream = 1_000;

/**
 * The ids of all matches of a small box are read and then sorted, unless there are more than `mostSorted`. PostgreSQL
 * assumes that they are distributed evenly over the ids, and otherwise may read the whole table for a few matches. With
 * more matches, reading all rows in the order of their ids finds a page sooner. `smallArea` is in square degrees.
 */
const mostSorted = 10_000;
const smallArea = 25;

/** Features that one statement reads by their ids. */
const mostRead = 100;
/** Milliseconds. */
const patience = 3_000;

function itemsOf<Properties>(
  db: Knex,
  { name, from, feature, properties, during, columns, orders, total, times }: Table<Properties>,
): ItemStore<Properties> {
  const run = statements(db);
  /** The number of all items in a state of the database: counting them takes longer than reading a page. */
  let counted = { state: '', total: 0 };
  const totalIfChanged = `case when ${stateInSql} <> :counted then (${total}) end as total, ${stateInSql} as state`;
  const flat = `longitude, latitude, ${columnsOf(properties(':pictures'))}`;

  /** Selects columns of the rows of a page and, if there are more, of the first one of the next page. */
  const selection = (
    select: string,
    limit: number,
    { bbox, datetime, filters, sort, after }: Wanted,
    base: string,
  ) => {
    const order = sort && orders[sort.by]!(sort.descending);
    const parts = [
      ...(bbox ? [within(bbox)] : []),
      ...(datetime ? [during(datetime)] : []),
      filtered(filters, columns),
      ...(after ? [behind(`${name}.id`, after, sort, order)] : []),
    ];
    const conditions = ['true', ...parts.flatMap(({ sql }) => sql)].join(' and ');
    const direction = sort?.descending ? 'desc' : 'asc';
    return {
      conditions,
      sql: `select ${name}.id, ${select}, ${order?.key ?? 'null'} as sort_key
            from ${from} where ${conditions}
            order by ${order ? `${order.value} ${direction}, ` : ''}${name}.id ${direction}
            limit :limit + 1`,
      values: Object.assign(
        { limit, pictures: base + pictureUrl('') },
        ...parts.map(({ values }) => values),
      ) as Values,
      hasRange: bbox !== undefined || datetime !== undefined,
    };
  };
  /** `matches` selects the ids of all matches or, if there are more, of `mostSorted + 1`; `sql` selects a page of them. */
  const ofFew = (conditions: string, box: Box) => ({
    // Only with the degrees, the index has a range for each of them.
    matches: `select ${name}.id from ${from} where ${conditions} and floor(longitude) = any (:degrees) limit ${mostSorted + 1}`,
    values: { degrees: degreesOf(box) },
    sql: `select ${name}.id, ${feature(':pictures')} as feature, null as sort_key from ${from}
          where ${name}.id = any (array (select id from matches order by id limit :limit + 1)) order by ${name}.id`,
  });
  const page: ItemStore<Properties>['page'] = async (limit, wanted, base) => {
    const { sql, values } = selection(flat, limit, wanted, base);
    const rows = await run<(Item<Properties> & { sort_key: number | null })[]>(sql, values);
    const last = rows[limit - 1];
    return {
      items: rows.slice(0, limit),
      next: rows.length > limit && last ? cursor(last.id, last.sort_key) : null,
    };
  };
  const read = batched(mostRead, async (wanted: { id: number; pictures: string }[]) => {
    const rows = await run<{ number: number; feature: string }[]>(
      `select number, ${feature('asked.pictures')} as feature
       from unnest(:ids::bigint[], :pictures::text[]) with ordinality as asked (id, pictures, number), ${from}
       where ${name}.id = asked.id`,
      { ids: wanted.map(({ id }) => id), pictures: wanted.map(({ pictures }) => pictures) },
      { isPrepared: true, timeout: patience },
    );
    const features = new Map(rows.map(({ number, feature }) => [number, feature]));
    return wanted.map((_, index) => features.get(index + 1));
  });
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
    async features(limit, wanted, base) {
      const { conditions, sql, values, hasRange } = selection(
        `${feature(':pictures')} as feature`,
        limit,
        wanted,
        base,
      );
      const isFiltered = hasRange || Object.keys(wanted.filters).length > 0;
      const ask = async (
        items: string,
        isPrepared: boolean,
        few?: ReturnType<typeof ofFew>,
      ): Promise<PageRow> => {
        const statement = `
          ${few ? `with matches as materialized (${few.matches})` : ''}
          select coalesce(string_agg(feature, ','), '') as features, count(*) as found,
                 (array_agg(id))[:limit] as id, (array_agg(sort_key))[:limit] as sort_key,
                 ${isFiltered ? 'null as total' : totalIfChanged}, now(),
                 ${few ? '(select count(*) from matches)' : '0'} as matching
          from (${items}) as item`;
        const known = counted;
        const asked = { ...values, ...few?.values, counted: known.state };
        const [row] = await run<[PageRow]>(statement, asked, { isPrepared });
        if (row.total !== null) counted = { state: row.state, total: row.total };
        return { ...row, total: isFiltered ? null : (row.total ?? known.total) };
      };
      const isOnlyBox = !wanted.datetime && Object.keys(wanted.filters).length === 0;
      const box = wanted.bbox;
      const isSmall = box && areaOf(box) <= smallArea && !wanted.sort && limit <= mostSorted;
      const few = isSmall ? ofFew(conditions, box) : null;
      // The best plan for a range depends on its values, but that for a small box alone is always the index for boxes.
      const first = few && (await ask(few.sql, isOnlyBox, few));
      const row = first && first.matching <= mostSorted ? first : await ask(sql, !hasRange);
      const { features, found, id, sort_key, total: all, now } = row;
      return {
        features: found > limit ? withoutLast(features) : features,
        returned: Math.min(found, limit),
        next: found > limit ? cursor(id, sort_key) : null,
        total: all,
        now,
      };
    },
    feature: (id, base) => read({ id, pictures: base + pictureUrl('') }),
    async extent() {
      const { rows } = await db.raw<{ rows: [Bounds] }>(
        `select min(longitude) as west, min(latitude) as south, max(longitude) as east, max(latitude) as north, ${times} from ${name}`,
      );
      return extentOf(rows[0]);
    },
  };
}

/** Texts in a feature cannot contain this, because their quotes are escaped. */
const withoutLast = (features: string) => features.slice(0, features.lastIndexOf(',{"type":"Feature"'));

const cursor = (id: number, key: number | null): Cursor => ({ id, ...(key !== null && { key }) });

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
