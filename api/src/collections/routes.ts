import type Joi from 'joi';
import type { Knex } from 'knex';
import { notFound } from '../errors.ts';
import { addressed, baseOf } from '../http/base.ts';
import { asCsv, asGeoJson, csv, geoJson } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { csvText, type Row } from '../csv/write.ts';
import { boxOf } from './bbox.ts';
import { intervalOf } from './datetime.ts';
import { collection, collectionList, conforms, geoJsonType, landingPage, type About } from './documents.ts';
import { featurePage, standingFeature } from './features.ts';
import { cellFeature, cellsOf, countPins } from './grid.ts';
import {
  animalProperties,
  collections,
  conformance,
  described,
  feature,
  featureCollection,
  grid,
  gridQuery,
  itemId,
  itemsQuery,
  landing,
  pinProperties,
  type AnimalProperties,
  type ItemsQuery,
  type PinProperties,
} from './schema.ts';
import { animalItems, pinItems, type Item, type ItemStore, type Wanted } from './store.ts';

/** A collection as it is published. */
type Published<Properties extends Row> = About & {
  id: 'pins' | 'animals';
  items: ItemStore<Properties>;
  properties: Joi.ObjectSchema<Properties>;
  columns: readonly (keyof Item<Properties> & string)[];
};

/** OGC API – Features – Part 1: Core 1.0 (OGC 17-069r3); beside it CSV and a grid of counts. */
export function collectionRoutes(db: Knex): Route[] {
  const pins: Published<PinProperties> = {
    id: 'pins',
    title: 'Pins',
    description: 'Where visitors come from, each with the time of the visit.',
    links: (base) => [
      {
        rel: 'related',
        type: geoJsonType,
        title: 'How many there are in each cell of a grid',
        href: `${base}/collections/pins/grid?zoom=4`,
      },
    ],
    items: pinItems(db),
    properties: pinProperties,
    columns: ['id', 'longitude', 'latitude', 'city', 'state', 'country', 'visit_date'],
  };
  const animals: Published<AnimalProperties> = {
    id: 'animals',
    title: 'Animals',
    description: 'Rescued animals and their places.',
    items: animalItems(db),
    properties: animalProperties,
    columns: [
      'id',
      'longitude',
      'latitude',
      'animal_name',
      'location_name',
      'placement_year',
      'animal_type',
      'animal_notes',
      'picture_url',
    ],
  };
  return [...documentRoutes([pins, animals]), ...itemRoutes(pins), gridRoute(db), ...itemRoutes(animals)];
}

/** GDAL asks for `collections` below the address that it is given. Where `/` is a site's own page, that address is the list itself. */
const listPaths = ['/collections', '/collections/collections'];

function documentRoutes(all: readonly About[]): Route[] {
  const document = { method: 'get', access: 'public', input: { headers: addressed } } as const;
  return [
    route(
      { ...document, path: '/', summary: 'Where the collections begin.', output: landing },
      ({ headers }) => landingPage(baseOf(headers)),
    ),
    route(
      {
        method: 'get',
        path: '/conformance',
        access: 'public',
        summary: 'What is kept of OGC API – Features.',
        output: conformance,
      },
      () => conforms,
    ),
    ...listPaths.map((path) =>
      route({ ...document, path, summary: 'The collections.', output: collections }, ({ headers }) =>
        collectionList(baseOf(headers), all),
      ),
    ),
    ...all.map((about) =>
      route(
        {
          ...document,
          path: `/collections/${about.id}`,
          summary: `What there is to know of the collection "${about.title}".`,
          output: described,
        },
        ({ headers }) => collection(baseOf(headers), about),
      ),
    ),
  ];
}

function itemRoutes<Properties extends Row>(published: Published<Properties>): Route[] {
  const { id, title, items, properties, columns } = published;
  const path = `/collections/${id}/items`;
  return [
    route(
      {
        method: 'get',
        path,
        access: 'public',
        cached: id,
        summary: `${title} in a box and a time: GeoJSON a page at a time, or all at once as CSV.`,
        input: { query: itemsQuery, headers: addressed },
        also: [asGeoJson(featureCollection(properties)), asCsv],
      },
      async ({ query, headers }) => {
        const base = baseOf(headers);
        const wanted = wantedBy(query);
        if (query.f === 'csv') {
          return csv(csvText(columns, upTo(query.limit ?? Infinity, items.all(wanted, base))), `${id}.csv`);
        }
        const limit = Math.min(query.limit ?? usualLimit, mostAtOnce);
        const [found, state] = await Promise.all([items.first(limit + 1, wanted, base), items.state()]);
        return geoJson(featurePage(base + path, query, { items: found, limit, state }));
      },
    ),
    route(
      {
        method: 'get',
        path: `${path}/:id`,
        access: 'public',
        cached: id,
        summary: `One of the ${id}.`,
        input: { params: itemId, headers: addressed },
        also: [asGeoJson(feature(properties))],
        refuses: { 404: 'There is nothing of this id in the collection.' },
      },
      async ({ params, headers }) => {
        const base = baseOf(headers);
        const item = await items.find(params.id, base);
        if (!item) throw notFound(`There is nothing of this id among the ${id}.`);
        return geoJson(standingFeature(`${base}/collections/${id}`, item));
      },
    ),
  ];
}

/** Counts instead of rows, for when there are too many of these to be drawn. */
function gridRoute(db: Knex): Route {
  return route(
    {
      method: 'get',
      path: '/collections/pins/grid',
      access: 'public',
      cached: 'pins',
      summary: 'How many pins there are in each tile of a web map, as GeoJSON; at most 4,096 tiles at once.',
      input: { query: gridQuery },
      also: [asGeoJson(grid)],
    },
    async ({ query: { zoom, bbox } }) => {
      const cells = await countPins(db, cellsOf(zoom, bbox === undefined ? undefined : boxOf(bbox)));
      const features = cells.map((cell) => cellFeature(zoom, cell));
      return geoJson({ type: 'FeatureCollection', numberReturned: features.length, features });
    },
  );
}

const usualLimit = 10;
const mostAtOnce = 10_000;

function wantedBy({ bbox, datetime, after }: ItemsQuery): Wanted {
  return {
    after,
    ...(bbox !== undefined && { bbox: boxOf(bbox) }),
    ...(datetime !== undefined && { datetime: intervalOf(datetime) }),
  };
}

/** The same pages as long as there are no more items than `limit`. */
async function* upTo<Item>(limit: number, pages: AsyncIterable<Item[]>): AsyncGenerator<Item[]> {
  let left = limit;
  for await (const page of pages) {
    yield page.slice(0, left);
    left -= page.length;
    if (left <= 0) return;
  }
}
