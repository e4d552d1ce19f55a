import { compress, type Encoding } from './encoding.ts';
import type { Headers } from '../http/reply.ts';
import { shared } from './shared.ts';

/** All of a body, with the headers that say what it is. */
export type Whole = { headers: Headers; text: Buffer };

/** A body as it was in a state of its collection, or later. */
export type Body = Whole & {
  state: string;
  /** Compressed once, however many ask. */
  encoded: (encoding: Encoding) => Promise<Buffer>;
};

export type Wanted = {
  /** The state that the database was in after the body was asked for. */
  state: string;
  /** The state that the database was in when it was asked last. */
  newest: () => string;
  /** Makes the body of what is there now; null if it is too large to be held. */
  make: () => Promise<Whole | null>;
};

export type Bodies = {
  /** The body of this name, in the state that is wanted or a later one; null if it is too large to be held. */
  get: (name: string, wanted: Wanted) => Promise<Body | null>;
  /** Has a body tried again that was too large. */
  forget: (name: string) => void;
};

/** What there is of one body: the newest one, made or in the making. */
type Place = {
  state: string | null;
  body: Promise<Body | null> | null;
  isTooLarge: boolean;
  bytes: number;
  remake: () => Promise<Body | null>;
};

/** Bytes that a place needs in addition to its body. The name, which holds the request's parameters, is in memory twice. */
const overhead = (name: string) => 1_000 + 4 * name.length;

/** Holds each body until it is asked for in another state, all of them up to `most` bytes: those that were not asked for the longest time go first. */
export function holdBodies(most: number): Bodies {
  const places = new Map<string, Place>();
  let total = 0;

  const release = (name: string) => {
    const place = places.get(name);
    if (!place) return;
    places.delete(name);
    empty(place);
  };
  const empty = (place: Place) => {
    total -= place.bytes;
    place.bytes = 0;
  };
  const take = (name: string, place: Place, bytes: number) => {
    if (places.get(name) !== place) return;
    place.bytes += bytes;
    total += bytes;
    for (const [oldest] of places) {
      if (total <= most) break;
      release(oldest);
    }
  };

  const prepare = (name: string, { newest, make }: Wanted): Place => {
    const remake = shared(async () => {
      // Before anything is read: what is read is at least as new.
      const state = newest();
      empty(place);
      take(name, place, overhead(name));
      place.state = state;
      place.body = make().then((whole) => {
        place.isTooLarge = whole === null;
        if (whole) take(name, place, whole.text.length);
        return whole && bodyOf(state, whole, (bytes) => place.state === state && take(name, place, bytes));
      });
      return place.body;
    });
    const place: Place = { state: null, body: null, isTooLarge: false, bytes: 0, remake };
    return place;
  };

  return {
    async get(name, wanted) {
      const place = places.get(name) ?? prepare(name, wanted);
      places.delete(name);
      places.set(name, place);
      if (place.isTooLarge) return null;
      if (place.state === wanted.state && place.body) return place.body;
      return place.remake().catch((error: unknown) => {
        release(name);
        throw error;
      });
    },
    forget: release,
  };
}

export function bodyOf(state: string, { headers, text }: Whole, took: (bytes: number) => unknown): Body {
  const made = new Map<Encoding, Promise<Buffer>>();
  const encode = async (encoding: Encoding) => {
    const bytes = await compress(encoding, text);
    took(bytes.length);
    return bytes;
  };
  return {
    state,
    headers,
    text,
    encoded(encoding) {
      const bytes = made.get(encoding) ?? encode(encoding);
      made.set(encoding, bytes);
      return bytes;
    },
  };
}
