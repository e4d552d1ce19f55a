import type { RequestListener } from 'node:http';
import Joi from 'joi';
import { nothingStored, type DiskWatch } from '../database/disk.ts';
import { unavailable } from '../http/errors.ts';
import { answer } from '../http/answer.ts';
import { route, type Route } from '../http/route.ts';
import type { Readiness } from './readiness.ts';

const output = Joi.object<{ success: true; message?: string }, true>({
  success: Joi.boolean().valid(true).required(),
  message: Joi.string().description('What does not work at the moment, if anything.'),
});

export function healthRoutes(readiness: Readiness, disk: DiskWatch): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/healthz',
        access: 'public',
        summary: 'Whether this process responds, regardless of the database.',
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
          'Whether the database accepts writes and has the schema of this release; otherwise 503 and the reason. Also 200 while the disk is too full for writes, with a message.',
        output,
      },
      async () => {
        const cause = await readiness.check();
        if (cause !== null) throw unavailable(cause);
        // Reads still work, so a load balancer should keep sending requests here. The folder and free space of the disk
        // are not public.
        const isFull = (await disk.trouble()) !== null;
        return isFull ? { success: true, message: nothingStored } : { success: true };
      },
    ),
  ];
}

/**
 * For a worker's own socket, which visitors cannot reach: `/readyz` returns the folder of a full disk and its free
 * megabytes.
 */
export function detailedReadiness(
  listener: RequestListener,
  readiness: Readiness,
  disk: DiskWatch,
): RequestListener {
  const detail = async () => ((await readiness.check()) === null ? disk.trouble() : null);
  return (request, response) => {
    if (request.url !== '/readyz') return listener(request, response);
    void detail().then((message) =>
      message === null ? listener(request, response) : answer(response, 200, { success: true, message }),
    );
  };
}
