import type { Knex } from 'knex';
import { inPages } from '../database/pages.ts';
import type { DonationVisit } from './schema.ts';

export type DonationStore = ReturnType<typeof donationStore>;

/** Visits to the donation page: only the time, nothing about the visitor. */
export function donationStore(db: Knex) {
  return {
    /** Records a visit at the current time. */
    visit: async (): Promise<void> => {
      await db('donation_visit').insert({});
    },

    /** All visits in the order of their ids, in pages. */
    visits: () =>
      inPages(
        (after, limit) =>
          db('donation_visit').where('id', '>', after).orderBy('id').limit(limit).select('id', 'visited_at'),
        ({ id, visited_at }): DonationVisit => ({ id, timestamp: visited_at.toISOString() }),
      ),
  };
}
