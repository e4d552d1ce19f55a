import type { Collections, Conformance, Described, Landing, Link } from './schema.ts';

/** What a collection says of itself. */
export type About = { id: string; title: string; description: string; links?: (base: string) => Link[] };

const json = 'application/json';
export const geoJsonType = 'application/geo+json';

/** The classes of OGC API – Features – Part 1 that are kept. Not that of OpenAPI 3.0: the document is one of 3.1. */
export const conforms: Conformance = {
  conformsTo: ['core', 'geojson'].map(
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

/** Also has the links of the landing page: where a site has its own page at `/`, clients begin here. */
export function collectionList(base: string, all: readonly About[]): Collections {
  return {
    links: [
      { rel: 'self', type: json, title: 'This document', href: `${base}/collections` },
      ...entrances(base),
    ],
    collections: all.map((about) => collection(base, about)),
  };
}

const entrances = (base: string): Link[] => [
  { rel: 'service-desc', type: json, title: 'The OpenAPI document', href: `${base}/openapi.json` },
  { rel: 'conformance', type: json, title: 'What is kept of the standard', href: `${base}/conformance` },
  { rel: 'data', type: json, title: 'The collections', href: `${base}/collections` },
];

export function collection(base: string, { id, title, description, links }: About): Described {
  const href = `${base}/collections/${id}`;
  return {
    id,
    title,
    description,
    itemType: 'feature',
    crs: ['http://www.opengis.net/def/crs/OGC/1.3/CRS84'],
    extent: { spatial: { bbox: [[-180, -90, 180, 90]] }, temporal: { interval: [[null, null]] } },
    links: [
      { rel: 'self', type: json, title: 'This document', href },
      { rel: 'items', type: geoJsonType, title, href: `${href}/items` },
      { rel: 'items', type: 'text/csv', title: `${title}, as CSV`, href: `${href}/items?f=csv` },
      ...(links?.(base) ?? []),
    ],
  };
}
