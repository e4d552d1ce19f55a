import type { Knex } from 'knex';
import type { Count } from './schema.ts';

/** The totals that the staff keep by hand, such as the number of rescues. */
export function countStore(db: Knex) {
  return {
    all: (): Promise<Count[]> => db('count').select('name', 'total').orderBy('name'),

    /** Rejects with PostgreSQL's 23505 where there is one of this name. */
    add: async (count: Count): Promise<void> => {
      await db('count').insert(count);
    },

    /** Answers whether there is one of this name. */
    set: async (name: string, total: number): Promise<boolean> =>
      (await db('count').where({ name }).update({ total })) === 1,
  };
}
