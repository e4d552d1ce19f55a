import { unavailable } from '../http/errors.ts';
import { list } from '../http/list.ts';
import { redirect, redirected } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { settingName } from '../setting-name.ts';
import { donationVisits, purpose, type Purpose } from './schema.ts';
import type { DonationStore } from './store.ts';

/** `page` is the URL of the donation page, or null if there is none. */
export function donationRoutes(store: DonationStore, page: string | null): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/api/donation_redirect',
        access: 'public',
        stores: true,
        summary: 'Redirects to the donation page and counts the visit. A HEAD or a prefetch is not counted.',
        input: { headers: purpose },
        also: [redirected],
      },
      async ({ headers, isHead }) => {
        if (page === null)
          throw unavailable(`No donation page is configured: set ${settingName('DONATION_URL')}.`);
        if (!isHead && !isPrefetch(headers)) await store.visit();
        return redirect(page);
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/donation_visits',
        access: 'staff',
        summary: 'Returns the visits to the donation page.',
        output: donationVisits,
      },
      () => list('donation_visits', store.visits()),
    ),
  ];
}

/** `Sec-Purpose` may contain more than the word: `prefetch;prerender`. */
function isPrefetch(headers: Purpose): boolean {
  return [headers['sec-purpose'], headers.purpose].some((value) => /\bprefetch\b/i.test(value ?? ''));
}
