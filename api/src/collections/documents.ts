import { openapi30, openapi31 } from '../http/api-definition.ts';
import type { Collections, Conformance, Described, Extent, Landing, Link } from './schema.ts';

/** The description of a collection. */
export type About = { id: string; title: string; description: string; links?: (base: string) => Link[] };

const json = 'application/json';
const html = 'text/html';
export const geoJsonType = 'application/geo+json';
export const csvType = 'text/csv';
export const schemaType = 'application/schema+json';

/** The classes of OGC API – Features – Part 1 that this API conforms to. */
export const conforms: Conformance = {
  conformsTo: ['core', 'geojson', 'oas30'].map(
    (name) => `http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/${name}`,
  ),
};

export function landingPage(base: string): Landing {
  return {
    title: 'map-app',
    description: 'The visitor map of a marine-mammal rescue centre.',
    links: [{ rel: 'self', type: json, title: 'This document', href: `${base}/` }, ...entrances(base)],
  };
}

/** Includes the links of the landing page: if a site has its own page at `/`, clients start here. */
export function collectionList(base: string, all: readonly Described[]): Collections {
  return {
    links: [
      { rel: 'self', type: json, title: 'This document', href: `${base}/collections` },
      ...entrances(base),
    ],
    collections: [...all],
  };
}

const entrances = (base: string): Link[] => [
  {
    rel: 'service-desc',
    type: openapi30.mediaType,
    title: 'The API, as OpenAPI 3.0',
    href: base + openapi30.path,
  },
  {
    rel: 'service-desc',
    type: openapi31.mediaType,
    title: 'The API, as OpenAPI 3.1',
    href: base + openapi31.path,
  },
  { rel: 'service-doc', type: html, title: 'The API and how to call it', href: `${base}/docs` },
  { rel: 'conformance', type: json, title: 'The conformance classes', href: `${base}/conformance` },
  { rel: 'data', type: json, title: 'The collections', href: `${base}/collections` },
];

export function collection(
  base: string,
  { id, title, description, links }: About,
  extent: Extent | null,
): Described {
  const href = `${base}/collections/${id}`;
  return {
    id,
    title,
    description,
    itemType: 'feature',
    crs: ['http://www.opengis.net/def/crs/OGC/1.3/CRS84'],
    ...(extent && { extent }),
    links: [
      { rel: 'self', type: json, title: 'This document', href },
      { rel: 'items', type: geoJsonType, title, href: `${href}/items` },
      { rel: 'items', type: csvType, title: `${title}, as CSV`, href: `${href}/items?f=csv` },
      {
        rel: 'http://www.opengis.net/def/rel/ogc/1.0/queryables',
        type: schemaType,
        title: 'The properties that are parameters of the items',
        href: `${href}/queryables`,
      },
      { rel: 'service-doc', type: html, title: 'The API and how to call it', href: `${base}/docs` },
      ...(links?.(base) ?? []),
    ],
  };
}
