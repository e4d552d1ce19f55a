import { geoJsonType } from './documents.ts';
import type { ItemsQuery, Link } from './schema.ts';
import type { Item } from './store.ts';

function featureOf({ id, longitude, latitude, ...properties }: Item<object>) {
  return {
    type: 'Feature',
    id,
    geometry: { type: 'Point', coordinates: [longitude, latitude] },
    properties,
  };
}

/** A feature by itself, with links to its collection, whose address is given. */
export function standingFeature(address: string, item: Item<object>) {
  const links: Link[] = [
    { rel: 'self', type: geoJsonType, title: 'This document', href: `${address}/items/${item.id}` },
    { rel: 'collection', type: 'application/json', title: 'The collection', href: address },
  ];
  return { ...featureOf(item), links };
}

/** What a page is made of. Where there is one item more than it takes, there is a next one. */
export type Page = { items: Item<object>[]; limit: number; state: { now: Date; total: number } };

/** A page of a collection as GeoJSON; `address` is that of its items, `query` what was asked for. */
export function featurePage(address: string, query: ItemsQuery, { items, limit, state }: Page) {
  const { bbox, datetime } = query;
  const features = items.slice(0, limit).map(featureOf);
  const links: Link[] = [
    { rel: 'self', type: geoJsonType, title: 'This page', href: address + search(query) },
    { rel: 'alternate', type: 'text/csv', title: 'As CSV', href: address + search({ ...query, f: 'csv' }) },
  ];
  if (items.length > limit) {
    const after = features.at(-1)!.id;
    links.push({
      rel: 'next',
      type: geoJsonType,
      title: 'The next page',
      href: address + search({ ...query, after }),
    });
  }
  return {
    type: 'FeatureCollection',
    links,
    timeStamp: state.now.toISOString(),
    // With a filter they would have to be counted one by one.
    ...(bbox === undefined && datetime === undefined && { numberMatched: state.total }),
    numberReturned: features.length,
    features,
  };
}

/** What follows an address to ask for the same. */
function search({ after, f, ...rest }: ItemsQuery): string {
  const given = Object.entries({ ...rest, ...(after > 0 && { after }), ...(f === 'csv' && { f }) });
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}
