import type Joi from 'joi';
import type { Knex } from 'knex';
import { badRequest, notFound } from '../http/errors.ts';
import { addressed, baseOf } from '../http/base.ts';
import { asCsv, asGeoJson, asPage, csv, geoJson, json, type Outcome, type Reply } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { csvText, type Row } from '../csv/write.ts';
import { intervalOf } from './datetime.ts';
import { collection, collectionList, conforms, csvType, landingPage, schemaType } from './documents.ts';
import { pageOfFeatures, nextPage, standingFeature } from './features.ts';
import { cellFeature, cellsOf, countPins } from './grid.ts';
import { collectionsPage, itemsPage, startPage } from './pages.ts';
import { publishedAnimals, publishedPins, type Published } from './published.ts';
import {
  collections,
  conformance,
  described,
  documentHeaders,
  documentQuery,
  feature,
  featureCollection,
  grid,
  gridQuery,
  itemId,
  itemsHeaders,
  itemsQuery,
  landing,
  queryablesSchema,
  usualLimit,
  type ItemsQuery,
} from './schema.ts';
import { cursorOf, sortOf } from './sort.ts';
import type { Wanted } from './store.ts';

/** OGC API – Features – Part 1: Core 1.0 (OGC 17-069r4), plus CSV, queryables, sorting and a grid of counts. */
export function collectionRoutes(db: Knex): Route[] {
  const [pins, animals] = [publishedPins(db), publishedAnimals(db)];
  return [...documentRoutes([pins, animals]), ...itemRoutes(pins), gridRoute(db), ...itemRoutes(animals)];
}

/** GDAL appends `collections` to the URL it is given. If `/` is a site's own page, that URL is the list itself. */
const listPaths = ['/collections', '/collections/collections'];

/** The parts of a collection that the documents need. */
type Catalogued = Omit<Published<object>, 'properties' | 'columns'>;

function documentRoutes(all: readonly Catalogued[]): Route[] {
  const document = { method: 'get', access: 'public' } as const;
  const describe = async (base: string, one: Catalogued) => collection(base, one, await one.items.extent());
  return [
    route(
      {
        ...document,
        path: '/',
        summary: 'The landing page, with links to the collections and the API definitions.',
        input: { query: documentQuery, headers: documentHeaders },
        output: landing,
        also: [asPage],
      },
      ({ query, headers }) => (isPage(query, headers) ? startPage() : landingPage(baseOf(headers))),
    ),
    route(
      {
        ...document,
        path: '/conformance',
        summary: 'The conformance classes of OGC API – Features.',
        input: { query: documentQuery },
        output: conformance,
      },
      () => conforms,
    ),
    ...listPaths.map((path) =>
      route(
        {
          ...document,
          path,
          // The state of the animals is part of the state of the pins.
          cached: 'pins',
          summary: 'The list of collections.',
          input: { query: documentQuery, headers: documentHeaders },
          output: collections,
          also: [asPage],
        },
        async ({ query, headers }) => {
          if (isPage(query, headers)) return collectionsPage(all);
          const base = baseOf(headers);
          return collectionList(base, await Promise.all(all.map((one) => describe(base, one))));
        },
      ),
    ),
    ...all.flatMap((one) => [
      route(
        {
          ...document,
          path: `/collections/${one.id}`,
          cached: one.id,
          summary: `The collection "${one.title}": its extent and its links.`,
          input: { query: documentQuery, headers: addressed },
          output: described,
        },
        ({ headers }) => describe(baseOf(headers), one),
      ),
      route(
        {
          ...document,
          path: `/collections/${one.id}/queryables`,
          summary: `The properties of the collection "${one.title}" that are parameters of its items, as JSON Schema.`,
          input: { query: documentQuery, headers: addressed },
          also: [asSchema],
        },
        ({ headers }) => queryables(baseOf(headers), one),
      ),
    ]),
  ];
}

const isPage = ({ f }: { f?: string }, { accept }: { accept: string }) =>
  f === undefined && accept === 'html';

const asSchema: Outcome = {
  status: 200,
  description: 'Done.',
  mediaType: schemaType,
  schema: queryablesSchema,
};

function queryables(base: string, { id, title, queryables }: Catalogued): Reply {
  const properties = Object.entries(queryables).map(([name, schema]) => {
    const { description, type, ...rest } = jsonSchemaOf(schema);
    return [name, { title: description, type, ...rest }];
  });
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `${base}/collections/${id}/queryables`,
    type: 'object',
    title,
    properties: Object.fromEntries(properties) as object,
    additionalProperties: false,
  };
  return json(document, { mediaType: schemaType });
}

const jsonSchemaOf = (schema: Joi.Schema): Record<string, unknown> => ({
  ...schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' }),
  description: schema.describe().flags && (schema.describe().flags as { description?: string }).description,
});

function itemRoutes<Properties extends Row>(published: Published<Properties>): Route[] {
  const { id, noun, title, items, properties, columns } = published;
  const path = `/collections/${id}/items`;
  return [
    route(
      {
        method: 'get',
        path,
        access: 'public',
        cached: id,
        summary: `${title}, filtered by bounding box, time and properties: pages of GeoJSON, or all at once as CSV.`,
        input: { query: itemsQuery(published.queryables, published.sortables), headers: itemsHeaders },
        also: [asGeoJson(featureCollection(noun, properties)), { ...asCsv, headers: nextLink }, asPage],
      },
      async ({ query, headers }) => {
        const base = baseOf(headers);
        const wanted = wantedBy(query, Object.keys(published.queryables));
        const form = query.f ?? headers.accept;
        const file = `${id}.csv`;
        if (form === 'html') return itemsPage(published, query);
        if (form === 'csv' && query.limit === undefined) {
          return csv(csvText(columns, items.all(wanted, base)), file);
        }
        const limit = query.limit ?? usualLimit;
        if (form === 'csv') {
          const page = await items.page(limit, wanted, base);
          const link = page.next && nextPage(base + path, { ...query, f: 'csv' }, page.next);
          return csv(
            csvText(columns, only(page.items)),
            file,
            link ? { Link: `<${link}>; rel="next"; type="${csvType}"` } : {},
          );
        }
        return geoJson(pageOfFeatures(base + path, query, await items.features(limit, wanted, base)));
      },
    ),
    route(
      {
        method: 'get',
        path: `${path}/:id`,
        access: 'public',
        cached: id,
        summary: `One of the ${id}.`,
        input: { params: itemId, query: documentQuery, headers: addressed },
        also: [asGeoJson(feature(noun, properties))],
        refuses: { 404: 'The collection contains no item with this id.' },
      },
      async ({ params, headers }) => {
        const base = baseOf(headers);
        const feature = await items.feature(params.id, base);
        if (feature === undefined) throw notFound(`There is no item with this id in the ${id}.`);
        return geoJson(standingFeature(`${base}/collections/${id}`, params.id, feature));
      },
    ),
  ];
}

const nextLink = { Link: 'The next page, if the request has a limit and there are more items.' };

/** Counts instead of rows, for more rows than a map can draw. */
function gridRoute(db: Knex): Route {
  return route(
    {
      method: 'get',
      path: '/collections/pins/grid',
      access: 'public',
      cached: 'pins',
      summary: 'The number of pins in each tile of a web map, as GeoJSON; at most 4,096 tiles per request.',
      input: { query: gridQuery },
      also: [asGeoJson(grid)],
    },
    async ({ query: { zoom, bbox } }) => {
      const cells = await countPins(db, cellsOf(zoom, bbox));
      const features = cells.map((cell) => cellFeature(zoom, cell));
      return geoJson(
        JSON.stringify({ type: 'FeatureCollection', numberReturned: features.length, features }),
      );
    },
  );
}

/** Throws 400 for a cursor from a page with another sort order. */
function wantedBy({ bbox, datetime, sortby, after, ...rest }: ItemsQuery, queryables: string[]): Wanted {
  const cursor = after === undefined ? undefined : cursorOf(after);
  if (cursor && (cursor.key === undefined) !== (sortby === undefined)) {
    throw badRequest('after belongs to a page with another sortby: use the value in a link "next".');
  }
  const filters = Object.entries(rest).filter(([name]) => queryables.includes(name));
  return {
    ...(bbox && { bbox }),
    ...(datetime !== undefined && { datetime: intervalOf(datetime) }),
    filters: Object.fromEntries(filters) as Wanted['filters'],
    ...(sortby !== undefined && { sort: sortOf(sortby) }),
    ...(cursor && { after: cursor }),
  };
}

async function* only<Item>(items: Item[]): AsyncGenerator<Item[]> {
  yield items;
}
