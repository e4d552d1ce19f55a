import { route, type Route } from '../http/route.ts';
import { counts } from './schema.ts';
import type { CountStore } from './store.ts';

export function countRoutes(store: CountStore): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/admin/count',
        access: 'public',
        summary: 'The totals that the staff keep, such as num_rescues.',
        output: counts,
      },
      async () => ({ counts: await store.all() }),
    ),
  ];
}
