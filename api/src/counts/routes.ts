import { notFound, onDuplicate } from '../http/errors.ts';
import { done } from '../http/fields.ts';
import { routesWith, type Route } from '../http/route.ts';
import { countName, counts, newCount, newTotal } from './schema.ts';
import { countStore } from './store.ts';

const route = routesWith(countStore);

export function countRoutes(): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/admin/count',
        access: 'public',
        cached: 'totals',
        summary: 'The totals that staff maintain, such as num_rescues.',
        output: counts,
      },
      async ({ store }) => ({ counts: await store.all() }),
    ),
    route(
      {
        method: 'post',
        path: '/admin/count',
        access: 'staff',
        summary: 'Adds a total.',
        input: { body: newCount },
        output: done,
        idempotent: true,
        refuses: { 409: 'A total with this name already exists.' },
      },
      async ({ body, store }) => {
        await store.add(body).catch(onDuplicate('A total with this name already exists.'));
        return { success: true, message: 'The total is added.' };
      },
    ),
    route(
      {
        method: 'post',
        path: '/admin/count/:name',
        access: 'staff',
        summary: 'Sets a total.',
        input: { params: countName, body: newTotal },
        output: done,
        refuses: { 404: 'There is no total with this name.' },
      },
      async ({ params, body, store }) => {
        if (!(await store.set(params.name, body.new_total)))
          throw notFound('There is no total with this name.');
        return { success: true, message: 'The total is set.' };
      },
    ),
  ];
}
