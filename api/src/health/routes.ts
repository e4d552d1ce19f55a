import Joi from 'joi';
import { unavailable } from '../errors.ts';
import { route, type Route } from '../http/route.ts';
import type { Readiness } from './readiness.ts';

const output = Joi.object<{ success: true }, true>({ success: Joi.boolean().valid(true).required() });

export function healthRoutes(readiness: Readiness): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/healthz',
        access: 'public',
        summary: 'Whether this process answers, whatever the state of the database.',
        output,
      },
      () => ({ success: true }),
    ),
    route(
      {
        method: 'get',
        path: '/readyz',
        access: 'public',
        summary:
          'Whether the database takes writes and has the schema that this release needs; if not, 503 and why.',
        output,
      },
      async () => {
        const cause = await readiness.check();
        if (cause !== null) throw unavailable(cause);
        return { success: true };
      },
    ),
  ];
}
