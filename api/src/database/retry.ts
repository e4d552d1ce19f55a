import type { Knex } from 'knex';

const retried = new Set(['40001', '40P01']);

/**
 * Runs `write` again, up to twice, when PostgreSQL undid it for a deadlock or a serialisation failure: it then left no trace. Where `db` is a transaction, all
 * of that is undone, and running it again is up to whoever began it.
 */
export async function retrying<Result>(db: Knex, write: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (db.isTransaction || attempt === 3 || !retried.has(String((error as { code?: unknown }).code)))
        throw error;
    }
  }
}
