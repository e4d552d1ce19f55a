/** Identifies a request by two hashes in hexadecimal: of the call and its Idempotency-Key, and of everything it asks for. */
export type Claim = { key: string; request: string };

/** The Idempotency-Key of a request was used for a different request within a day: a 422 for clients. */
export class KeyReused extends Error {}

/** Throws `KeyReused` unless what is kept of a key belongs to the same request. `kept` is the hash of the request that is kept. */
export function checkRequest({ request }: Claim, kept: string | undefined): void {
  if (kept !== request) throw new KeyReused();
}
