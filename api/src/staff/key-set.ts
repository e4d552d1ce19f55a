import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { unavailable } from '../http/errors.ts';
import { causeOf, type Log } from '../log.ts';

/** The timeout of a fetch in milliseconds. */
const patience = 5_000;
/** The minimum interval between two fetches in milliseconds, even for unknown keys and short cache lifetimes. */
const coolDown = 30_000;
/** The delay before a failed fetch is retried, in milliseconds. Requests do not wait during it. */
const pause = 10_000;
/** The lifetime of keys if the response specifies none, in milliseconds. */
const usualLife = 300_000;
/**
 * How long keys stay in use after they were fetched if newer ones cannot be fetched, in milliseconds. Google publishes
 * new keys days before using them.
 */
const longestLife = 12 * 3_600_000;

type Kept = { find: JWTVerifyGetKey; fetched: number; goodUntil: number };

/**
 * Returns the keys published at `url`. The first caller waits for them. Expired keys stay in use for up to 12 hours
 * while new ones are fetched in the background. An unknown key triggers another fetch, because it may have been
 * published before the cached keys expired. Throws 503 if there are no usable keys. jose's `createRemoteJWKSet` is not
 * used: once the keys have expired, every caller waits for a fetch, and fails if the fetch fails. `now` returns
 * milliseconds.
 */
export function publishedKeys(url: string, log: Log, now: () => number): JWTVerifyGetKey {
  let kept: Kept | undefined;
  let fetching: Promise<Kept> | undefined;
  let retryAt = -Infinity;

  const renew = (): Promise<Kept> => {
    fetching ??= fetchKeys(url, now())
      .then((keys) => (kept = keys))
      .catch((error: unknown) => {
        retryAt = now() + pause;
        log.error("Google's keys cannot be fetched", causeOf((error as Error).cause ?? error));
        throw noKeys();
      })
      .finally(() => (fetching = undefined));
    return fetching;
  };
  const current = async (): Promise<Kept> => {
    if (kept && now() < kept.goodUntil) return kept;
    const mayFetch = now() >= retryAt;
    if (kept && now() < kept.fetched + longestLife) {
      // `renew` logs its own failures.
      if (mayFetch) renew().catch(() => undefined);
      return kept;
    }
    if (!mayFetch) throw noKeys();
    return renew();
  };
  return async (...signed) => {
    const keys = await current();
    try {
      return await keys.find(...signed);
    } catch (error) {
      const isRecent = now() < Math.max(keys.fetched + coolDown, retryAt);
      if (!(error instanceof errors.JWKSNoMatchingKey) || isRecent) throw error;
      return (await renew()).find(...signed);
    }
  };
}

const noKeys = () =>
  unavailable(
    "Sign-in is not possible at the moment: Google's keys cannot be fetched. Please try again later.",
  );

/** Throws if the response is not a set of keys. */
async function fetchKeys(url: string, fetched: number): Promise<Kept> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Error(`The response has the status ${response.status}.`);
  const set = (await response.json()) as JSONWebKeySet;
  const find = createLocalJWKSet(set);
  if (set.keys.length === 0) throw new Error('The response contains no keys.');
  return { find, fetched, goodUntil: fetched + Math.max(lifeOf(response.headers), coolDown) };
}

/** Returns how long the headers of a response allow it to be cached, in milliseconds (RFC 9111). */
function lifeOf(headers: Headers): number {
  const control = headers.get('cache-control') ?? '';
  if (/\bno-(store|cache)\b/i.test(control)) return 0;
  const maximum = /\bmax-age=(\d+)/i.exec(control)?.[1];
  return maximum === undefined ? usualLife : (Number(maximum) - Number(headers.get('age') ?? 0)) * 1000;
}
