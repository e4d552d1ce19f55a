import { unavailable } from '../errors.ts';
import { list } from '../http/list.ts';
import { redirect, redirected } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { donationVisits } from './schema.ts';
import type { DonationStore } from './store.ts';

/** `page` is the address of the donation page, null where there is none. */
export function donationRoutes(store: DonationStore, page: string | null): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/api/donation_redirect',
        access: 'public',
        stores: true,
        summary: 'Leads to the donation page and counts the visit.',
        also: [redirected],
      },
      async () => {
        if (page === null) throw unavailable('No donation page is set up here: set DONATION_URL.');
        await store.visit();
        return redirect(page);
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/donation_visits',
        access: 'staff',
        summary: 'The visits to the donation page.',
        output: donationVisits,
      },
      () => list('donation_visits', store.visits()),
    ),
  ];
}
