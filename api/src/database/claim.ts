/** Identifies a request by two hashes in hexadecimal: of the call and its Idempotency-Key, and of its complete input. */
export type Claim = { key: string; request: string };

/** The Idempotency-Key of a request was used for a different request within a day: a 422 for clients. */
export class KeyReused extends Error {}

/** Throws `KeyReused` unless the stored hash of the key's first request, `kept`, is that of this request. */
export function checkRequest({ request }: Claim, kept: string | undefined): void {
  if (kept !== request) throw new KeyReused();
}
