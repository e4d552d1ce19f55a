import type { Knex } from 'knex';
import type { Count } from './schema.ts';

/** The totals that the staff keep by hand, such as the number of rescues. */
export function countStore(db: Knex) {
  return {
    all: (): Promise<Count[]> => db('count').select('name', 'total').orderBy('name'),

    /** Adds a total. Rejects with PostgreSQL's 23505 if the name already exists. */
    add: async (count: Count): Promise<void> => {
      await db('count').insert(count);
    },

    /** Sets a total. Returns whether the name exists. */
    set: async (name: string, total: number): Promise<boolean> =>
      (await db('count').where({ name }).update({ total })) === 1,
  };
}
