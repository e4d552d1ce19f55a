import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { unavailable } from '../errors.ts';
import { causeOf, type Log } from '../log.ts';

/** Milliseconds that a fetch may take. */
const patience = 5_000;
/** The shortest time between two fetches, even for unknown keys and short cache lifetimes (milliseconds). */
const coolDown = 30_000;
/** The pause after a failed fetch (milliseconds). Requests do not wait meanwhile. */
const pause = 10_000;
/** The lifetime of keys if the response has none (milliseconds). */
const usualLife = 300_000;
/** How long keys stay in use after they were fetched, while newer ones cannot be fetched (milliseconds). Google publishes new keys days before it uses them. */
const longestLife = 12 * 3_600_000;

type Kept = { find: JWTVerifyGetKey; fetched: number; goodUntil: number };

/**
 * Returns the keys published at `url`. The first caller waits for them. Expired keys stay in use for up to 12 hours while new ones are fetched in the
 * background. An unknown key triggers another fetch, because a new one may have been published early. Throws 503 if there are no keys to use.
 * jose's `createRemoteJWKSet` makes every caller wait for a fetch once the keys have expired, and fails with it. `now` returns milliseconds.
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
      // It logs its own failure.
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

const noKeys = () => unavailable("Sign-in is not possible at the moment: Google's keys cannot be fetched.");

/** Throws if the response is not a set of keys. */
async function fetchKeys(url: string, fetched: number): Promise<Kept> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Error(`The response has the status ${response.status}.`);
  const set = (await response.json()) as JSONWebKeySet;
  const find = createLocalJWKSet(set);
  if (set.keys.length === 0) throw new Error('The answer holds no keys.');
  return { find, fetched, goodUntil: fetched + Math.max(lifeOf(response.headers), coolDown) };
}

/** How long, in milliseconds, the headers of an answer allow to keep it (RFC 9111). */
function lifeOf(headers: Headers): number {
  const control = headers.get('cache-control') ?? '';
  if (/\bno-(store|cache)\b/i.test(control)) return 0;
  const maximum = /\bmax-age=(\d+)/i.exec(control)?.[1];
  return maximum === undefined ? usualLife : (Number(maximum) - Number(headers.get('age') ?? 0)) * 1000;
}
