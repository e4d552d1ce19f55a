import { textOf } from './bbox.ts';
import { csvType, geoJsonType } from './documents.ts';
import type { ItemsQuery, Link } from './schema.ts';
import { textOfCursor, type Cursor } from './sort.ts';
import type { FeaturePage } from './store.ts';

/** The text of a single feature, with links. `address` is the URL of its collection. */
export function standingFeature(address: string, id: number, feature: string): string {
  const links: Link[] = [
    { rel: 'self', type: geoJsonType, title: 'This document', href: `${address}/items/${id}` },
    { rel: 'collection', type: 'application/json', title: 'The collection', href: address },
  ];
  return extended(feature, 'links', JSON.stringify(links));
}

/** The text of a page of a collection. `address` is the URL of its items, `query` the request's query. */
export function pageOfFeatures(
  address: string,
  query: ItemsQuery,
  { features, returned, next, total, now }: FeaturePage,
): string {
  const links: Link[] = [
    { rel: 'self', type: geoJsonType, title: 'This page', href: address + search(query) },
    { rel: 'alternate', type: csvType, title: 'As CSV', href: address + search({ ...query, f: 'csv' }) },
  ];
  if (next) {
    links.push({
      rel: 'next',
      type: geoJsonType,
      title: 'The next page',
      href: nextPage(address, query, next),
    });
  }
  const head = {
    type: 'FeatureCollection',
    links,
    timeStamp: now.toISOString(),
    ...(total !== null && { numberMatched: total }),
    numberReturned: returned,
  };
  return extended(JSON.stringify(head), 'features', `[${features}]`);
}

/** Adds a property to the text of an object that is not empty. */
const extended = (object: string, name: string, value: string) =>
  `${object.slice(0, -1)},"${name}":${value}}`;

export const nextPage = (address: string, query: ItemsQuery, next: Cursor): string =>
  address + search({ ...query, after: textOfCursor(next) });

/** Formats a query as a query string. Empty if there is no query. */
export function search({ bbox, ...rest }: ItemsQuery): string {
  const given = Object.entries({ ...(bbox && { bbox: textOf(bbox) }), ...rest });
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}
