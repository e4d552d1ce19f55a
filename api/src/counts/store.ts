import type { Knex } from 'knex';

export type CountStore = ReturnType<typeof countStore>;

/** The totals that the staff keep by hand, such as the number of rescues. */
export function countStore(db: Knex) {
  return {
    all: () => db('count').select('name', 'total').orderBy('name'),
  };
}
