import { sequence } from '../../api/src/testing/sequence.ts';
import { peerCollection } from './features.ts';

/**
 * A read whose responses are not in the cache: it is measured with `paths`, which are all different. `peer` are the
 * paths of pg_featureserv, null if it has no such call.
 */
export type Uncached = { what: string; paths: string[]; peer: string[] | null; least?: number };

/** More than the cache of two workers can hold, even of the smallest responses. */
const many = 50_000;

/** @param first the lowest id of the pins @param pins how many there are */
export function uncachedReads(first: number, pins: number): Uncached[] {
  const next = sequence(5);
  const each = (path: (number: number) => string) =>
    Array.from({ length: many }, (_, number) => path(number));
  const items = (query: string) => `/collections/pins/items${query}`;
  const peer = (query: string) => `${peerCollection}/items.json${query}`;
  const id = (number: number) => first + ((number * 7_919) % pins);
  const boxes = each(() => {
    const [west, south] = [-125 + next() * 50, 25 + next() * 20];
    return `?limit=100&bbox=${[west, south, west + 2, south + 2].map((degrees) => degrees.toFixed(4)).join()}`;
  });
  const california = (number: number) => `?limit=100&bbox=-125,32,-114,${(42 + number / 1e6).toFixed(6)}`;
  return [
    // Of pg_featureserv always the first page, because it reads all rows before the one at `offset`.
    {
      what: 'items',
      paths: each((number) => items(`?limit=100&after=${id(number)}`)),
      peer: [peer('?limit=100')],
      least: 1.2,
    },
    {
      what: 'bbox',
      paths: each((number) => items(california(number))),
      peer: each((number) => peer(california(number))),
      least: 1.2,
    },
    { what: 'random bbox', paths: boxes.map(items), peer: boxes.map(peer), least: 1.2 },
    {
      what: 'one item',
      paths: each((number) => items(`/${id(number)}`)),
      peer: each((number) => `${peerCollection}/items/${id(number)}.json`),
      least: 1,
    },
    {
      what: 'limit 10,000',
      paths: each((number) => items(`?limit=10000&after=${id(number)}`)),
      peer: [peer('?limit=10000')],
      least: 1,
    },
    {
      what: 'counts',
      paths: each((number) => `/api/locations/counts?country=France&state=${number}`),
      peer: null,
    },
  ];
}
