import type { Knex } from 'knex';
import { retrying } from '../database/retry.ts';

export type Deleted = { pins: number; answers: number };

/** Rows deleted per batch. Visitors' pins of the same places wait during a batch, so it is small. */
const batch = 1_000;

/** Deletes pins and answers older than `days`, updates the counts of the pins, and deletes expired idempotency keys. */
export async function deleteOlderThan(db: Knex, days: number): Promise<Deleted> {
  const { rows } = await db.raw<{ rows: [{ limit: Date }] }>(
    'select now() - make_interval(days => ?) as limit',
    [days],
  );
  const [{ limit }] = rows;
  await db('idempotency').where('expires_at', '<', db.fn.now()).delete();
  return {
    pins: await deleteBefore(db, 'pin', 'visited_at', limit),
    answers: await deleteBefore(db, 'visitor_response', 'answered_at', limit),
  };
}

async function deleteBefore(
  db: Knex,
  table: 'pin' | 'visitor_response',
  column: 'visited_at' | 'answered_at',
  limit: Date,
): Promise<number> {
  let total = 0;
  let after: number | undefined = 0;
  while (after !== undefined) {
    const old = db(table).where(column, '<', limit).where('id', '>', after).orderBy('id').limit(batch);
    const deleted: { id: number }[] = await retrying(db, async () =>
      db(table).whereIn('id', old.clone().select('id')).delete('id'),
    );
    total += deleted.length;
    after = deleted.length === 0 ? undefined : Math.max(...deleted.map(({ id }) => id));
  }
  return total;
}
