import type { GoogleSettings } from '../config.ts';
import { unavailable } from '../errors.ts';

/** Why an ID token is no good, in one sentence. */
export class BadToken extends Error {}

/** Resolves to the address, in lower case, that an ID token vouches for. Throws `BadToken`, or 503 where no token can be verified. */
export type VerifyToken = (token: string) => Promise<string>;

export function tokenVerifier({ clientId }: GoogleSettings): VerifyToken {
  return async () => {
    throw unavailable(`Nobody can sign in here: ${clientId}.`);
  };
}
