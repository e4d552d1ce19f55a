import type { Knex } from 'knex';

const retried = new Set(['40001', '40P01']);

/**
 * Runs `write` again, up to twice, if PostgreSQL rolled it back because of a deadlock or a serialization failure. If
 * `db` is a transaction, the whole transaction is rolled back, and the code that began it must retry.
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
