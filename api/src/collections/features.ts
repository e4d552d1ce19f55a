import { textOf } from './bbox.ts';
import { csvType, geoJsonType } from './documents.ts';
import type { ItemsQuery, Link } from './schema.ts';
import { textOfCursor, type Cursor } from './sort.ts';
import type { Item } from './store.ts';

function featureOf({ id, longitude, latitude, ...properties }: Item<object>) {
  return {
    type: 'Feature',
    id,
    geometry: { type: 'Point', coordinates: [longitude, latitude] },
    properties,
  };
}

/** A single feature with links. `address` is the URL of its collection. */
export function standingFeature(address: string, item: Item<object>) {
  const links: Link[] = [
    { rel: 'self', type: geoJsonType, title: 'This document', href: `${address}/items/${item.id}` },
    { rel: 'collection', type: 'application/json', title: 'The collection', href: address },
  ];
  return { ...featureOf(item), links };
}

/** The content of a page. `isFiltered`: a condition selects features, so their total is unknown. */
export type Page = {
  items: Item<object>[];
  next: Cursor | null;
  isFiltered: boolean;
  state: { now: Date; total: number };
};

/** A page of a collection as GeoJSON. `address` is the URL of its items, `query` the request's query. */
export function featurePage(address: string, query: ItemsQuery, { items, next, isFiltered, state }: Page) {
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
  return {
    type: 'FeatureCollection',
    links,
    timeStamp: state.now.toISOString(),
    // Filtered features would have to be counted one by one.
    ...(!isFiltered && { numberMatched: state.total }),
    numberReturned: items.length,
    features: items.map(featureOf),
  };
}

export const nextPage = (address: string, query: ItemsQuery, next: Cursor): string =>
  address + search({ ...query, after: textOfCursor(next) });

/** Formats a query as a query string. Empty if there is no query. */
export function search({ bbox, ...rest }: ItemsQuery): string {
  const given = Object.entries({ ...(bbox && { bbox: textOf(bbox) }), ...rest });
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}
