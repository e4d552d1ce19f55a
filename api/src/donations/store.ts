import type { Knex } from 'knex';
import { inPages } from '../database/pages.ts';
import type { DonationVisit } from './schema.ts';

export type DonationStore = ReturnType<typeof donationStore>;

/** Visits to the donation page: only when, never who. */
export function donationStore(db: Knex) {
  return {
    /** Counts a visit with the present time. */
    visit: async (): Promise<void> => {
      await db('donation_visit').insert({});
    },

    /** All visits in the order they came, in pages. */
    visits: () =>
      inPages(
        (after, limit) =>
          db('donation_visit').where('id', '>', after).orderBy('id').limit(limit).select('id', 'visited_at'),
        ({ id, visited_at }): DonationVisit => ({ id, timestamp: visited_at.toISOString() }),
      ),
  };
}
