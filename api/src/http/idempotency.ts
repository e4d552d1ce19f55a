import { hash } from 'node:crypto';
import Joi from 'joi';
import type { Knex } from 'knex';
import { checkRequest, type Claim } from '../database/claim.ts';
import { retrying } from '../database/retry.ts';
import { Reply } from './reply.ts';

export type KeyHeader = { 'idempotency-key'?: string };

export const keyHeader = Joi.object<KeyHeader, true>({
  'idempotency-key': Joi.string()
    .max(255)
    .pattern(/^[\x21-\x7e]+$/)
    .messages({ 'string.pattern.base': '{#label} must consist of visible ASCII characters, without blanks' })
    .description(
      'Makes the request idempotent for 24 hours: repeated requests are executed once and get the same response.',
    ),
});

/** A request that may be repeated: its key, its route and its complete input. */
export type Repeatable = { key: string; call: string; input: unknown };

export const claimOf = ({ key, call, input }: Repeatable): Claim => ({
  key: digest([call, key]),
  request: digest(input),
});

/**
 * Runs `work` once for identical requests within 24 hours, and returns the first response to all of them. `work` must write through
 * the given transaction, so that its changes and the response are committed together. Concurrent requests wait for the first one. If
 * that one fails, it is rolled back, and the next request runs `work`. Throws `KeyReused` if the key was used for another request.
 */
export async function once(
  db: Knex,
  claim: Claim,
  work: (transaction: Knex) => Promise<unknown>,
): Promise<Reply> {
  const kept = await retrying(db, () =>
    db.transaction(async (transaction) => {
      const { rows } = await transaction.raw<{ rows: [{ fresh: Claim[] }] }>(
        'select idempotency_claim(?) as fresh',
        [JSON.stringify([claim])],
      );
      const row = transaction('idempotency').whereRaw("key = decode(?, 'hex')", [claim.key]);
      if (rows[0].fresh.length === 0) return row.first();
      const answer = JSON.stringify(await work(transaction));
      const [kept] = await row.update({ answer }).returning('*');
      return kept;
    }),
  );
  checkRequest(claim, kept && Buffer.from(kept.request).toString('hex'));
  return new Reply(200, { 'Content-Type': 'application/json; charset=utf-8' }, kept?.answer ?? '');
}

const digest = (value: unknown): string => hash('sha256', JSON.stringify(value));
