import Joi from 'joi';
import type { DiskWatch } from '../database/disk.ts';
import { unavailable } from '../errors.ts';
import { route, type Route } from '../http/route.ts';
import type { Readiness } from './readiness.ts';

const output = Joi.object<{ success: true; message?: string }, true>({
  success: Joi.boolean().valid(true).required(),
  message: Joi.string().description('What does not go on, where something does not.'),
});

export function healthRoutes(readiness: Readiness, disk: DiskWatch): Route[] {
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
          'Whether the database takes writes and has the schema that this release needs; if not, 503 and why. Ready too while its disk is too full to store anything, with a message that says so.',
        output,
      },
      async () => {
        const cause = await readiness.check();
        if (cause !== null) throw unavailable(cause);
        // Reads go on, so nobody is to be sent elsewhere.
        const trouble = await disk.trouble();
        return trouble === null ? { success: true } : { success: true, message: trouble };
      },
    ),
  ];
}
