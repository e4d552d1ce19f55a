import { createHash } from 'node:crypto';
import Joi from 'joi';
import type { Knex } from 'knex';
import { retrying } from '../database/retry.ts';
import { unprocessable } from '../errors.ts';
import { Reply } from './reply.ts';

export type KeyHeader = { 'idempotency-key'?: string };

export const keyHeader = Joi.object<KeyHeader, true>({
  'idempotency-key': Joi.string()
    .max(255)
    .pattern(/^[\x21-\x7e]+$/)
    .messages({ 'string.pattern.base': '{#label} must be of visible ASCII characters, without blanks' })
    .description('Makes the request one that may be repeated for a day: it is done once and answered alike.'),
});

/** A request that its sender may repeat: the key it gave, the call that it is for, and all that it asks for. */
export type Repeatable = { key: string; call: string; input: unknown };

/**
 * Does `work` once, however often the same request comes within a day, and answers all of them as the first. What `work` writes has to go through the transaction
 * that it is given: it commits together with the answer, or neither does. Requests that come meanwhile wait for the first one. If that one fails it leaves no
 * trace, and the next does the work. Throws 422 where the key came with another request.
 */
export async function once(
  db: Knex,
  { key, call, input }: Repeatable,
  work: (transaction: Knex) => Promise<unknown>,
): Promise<Reply> {
  const id = digest([call, key]);
  const request = digest(input);
  const text = await retrying(db, () =>
    db.transaction(async (transaction) => {
      if (!(await claim(transaction, id, request))) return recall(transaction, id, request);
      const answer = JSON.stringify(await work(transaction));
      await transaction('idempotency').where({ key: id }).update({ answer });
      return answer;
    }),
  );
  return new Reply(200, { 'Content-Type': 'application/json; charset=utf-8' }, text);
}

/** Whether the request is the first with its key. Each one clears up some whose day is over. */
async function claim(db: Knex, id: Buffer, request: Buffer): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    `with expired as (
       select key from idempotency where expires_at < now() and key <> :id
       order by expires_at limit 10 for update skip locked
     ), cleared as (
       delete from idempotency using expired where idempotency.key = expired.key
     )
     insert into idempotency (key, request, expires_at) values (:id, :request, now() + interval '24 hours')
     on conflict (key) do update set request = excluded.request, answer = null, expires_at = excluded.expires_at
       where idempotency.expires_at < now()
     returning key`,
    { id, request },
  );
  return rows.length > 0;
}

async function recall(db: Knex, id: Buffer, request: Buffer): Promise<string> {
  const first = await db('idempotency').where({ key: id }).first();
  if (!first || !request.equals(first.request)) {
    throw unprocessable('This Idempotency-Key was used for another request: take a new one for each.');
  }
  return first.answer ?? '';
}

function digest(value: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(value)).digest();
}
