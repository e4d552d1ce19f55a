import { compress, type Encoding } from './encoding.ts';
import type { Headers } from '../http/reply.ts';
import { shared } from './shared.ts';

/** A complete body, with the headers that describe it. */
export type Whole = { headers: Headers; text: Buffer };

/** A body in this state of its collection, or a later one. */
export type Body = Whole & {
  state: string;
  /** Compressed once per encoding, for any number of requests. */
  encoded: (encoding: Encoding) => Promise<Buffer>;
};

export type Wanted = {
  /** The state of the database after the request arrived. */
  state: string;
  /** Returns the state that the database reported last. */
  newest: () => string;
  /** Builds the body from the current data. Returns null if it is too large for the cache. */
  make: () => Promise<Whole | null>;
};

export type Bodies = {
  /** Whether a body of this name, in any state, is held or being built. */
  has: (name: string) => boolean;
  /** Returns the body of this name in the wanted state or a later one. Null if it is too large for the cache. */
  get: (name: string, wanted: Wanted) => Promise<Body | null>;
  /** Allows a body to be built again that was too large. */
  forget: (name: string) => void;
};

/** The entry of one body: the newest one, built or in progress. */
type Place = {
  state: string | null;
  body: Promise<Body | null> | null;
  isTooLarge: boolean;
  bytes: number;
  remake: () => Promise<Body | null>;
};

/**
 * Bytes that an entry needs in addition to its body. The name contains the request's parameters and is stored twice.
 */
const overhead = (name: string) => 1_000 + 4 * name.length;

/**
 * An LRU cache of bodies, limited to `most` bytes in total. Each body is kept until it is requested in another state.
 */
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
      // Read before the data, so that the data is at least as new as the state.
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
    has: (name) => places.has(name),
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
