import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { unavailable } from '../errors.ts';
import { causeOf, type Log } from '../log.ts';

const patience = 5_000;
/** However often an unknown key is named, and whatever the answer says, the keys are not fetched again sooner. */
const coolDown = 30_000;
/** Where the answer does not say how long it is good. */
const usualLife = 300_000;

type Kept = { find: JWTVerifyGetKey; fetched: number; goodUntil: number };

/**
 * The keys published at `url`, fetched when they are first needed and kept as long as the answer allows. A key that is not among them has them
 * fetched again, since a new one may have been published early. Who asks meanwhile waits for the same answer.
 * Throws 503 if they cannot be fetched, and logs why. `now` answers milliseconds.
 */
export function publishedKeys(url: string, log: Log, now: () => number): JWTVerifyGetKey {
  let kept: Kept | undefined;
  let fetching: Promise<Kept> | undefined;
  const renew = () => {
    fetching ??= fetchKeys(url, log, now())
      .then((keys) => (kept = keys))
      .finally(() => (fetching = undefined));
    return fetching;
  };
  return async (...signed) => {
    const keys = kept && now() < kept.goodUntil ? kept : await renew();
    try {
      return await keys.find(...signed);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || now() < keys.fetched + coolDown) throw error;
      return (await renew()).find(...signed);
    }
  };
}

async function fetchKeys(url: string, log: Log, fetched: number): Promise<Kept> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(patience) });
    if (!response.ok) throw new Error(`The answer has the status ${response.status}.`);
    const find = createLocalJWKSet((await response.json()) as JSONWebKeySet);
    return { find, fetched, goodUntil: fetched + Math.max(lifeOf(response.headers), coolDown) };
  } catch (error) {
    log.error("the sign-in's keys cannot be fetched", causeOf((error as Error).cause ?? error));
    throw unavailable("Nobody can sign in at the moment: Google's keys cannot be fetched.");
  }
}

/** How long, in milliseconds, the headers of an answer allow to keep it (RFC 9111). */
function lifeOf(headers: Headers): number {
  const control = headers.get('cache-control') ?? '';
  if (/\bno-(store|cache)\b/i.test(control)) return 0;
  const maximum = /\bmax-age=(\d+)/i.exec(control)?.[1];
  return maximum === undefined ? usualLife : (Number(maximum) - Number(headers.get('age') ?? 0)) * 1000;
}
