import { conflict } from '../http/errors.ts';
import { route, type Route } from '../http/route.ts';
import type { Log } from '../log.ts';
import type { Pin } from '../pins/schema.ts';
import {
  answerFilter,
  answerPreview,
  answerRemoval,
  pinFilter,
  pinPreview,
  pinRemoval,
  removed,
  type AnswerSample,
  type Expected,
  type Filter,
} from './schema.ts';
import { Changed, counted, type Removal } from './store.ts';

/** For staff: removes spam. Each removal repeats the count and the last id of a preview. */
export function removalRoutes(pins: Removal<Pin>, answers: Removal<AnswerSample>, log: Log): Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/api/admin/pins',
        access: 'staff',
        summary: 'Previews a removal of pins: returns how many match the filter, and the newest of them.',
        input: { query: pinFilter },
        output: pinPreview,
      },
      async ({ query }) => ({ success: true, ...(await pins.preview(query)) }),
    ),
    route(
      {
        method: 'delete',
        path: '/api/admin/pins',
        access: 'staff',
        summary:
          'Removes the pins of a preview and takes them off all counts, in one transaction: the same filter, with the count and last_id that the preview returned.',
        input: { query: pinRemoval },
        output: removed,
        refuses: changed,
      },
      ({ query, staff }) => carryOut('pins', pins, query, staff.email),
    ),
    route(
      {
        method: 'get',
        path: '/api/admin/answers',
        access: 'staff',
        summary:
          "Previews a removal of visitors' answers: returns how many match the filter, and the newest of them.",
        input: { query: answerFilter },
        output: answerPreview,
      },
      async ({ query }) => ({ success: true, ...(await answers.preview(query)) }),
    ),
    route(
      {
        method: 'delete',
        path: '/api/admin/answers',
        access: 'staff',
        summary:
          "Removes the visitors' answers of a preview, in one transaction: the same filter, with the count and last_id that the preview returned.",
        input: { query: answerRemoval },
        output: removed,
        refuses: changed,
      },
      ({ query, staff }) => carryOut('answers', answers, query, staff.email),
    ),
  ];

  async function carryOut(
    what: 'pins' | 'answers',
    removal: Removal<unknown>,
    { count, last_id, ...filter }: Filter & Expected,
    email: string,
  ) {
    const total = await removal.remove(filter, { count, last_id }).catch((error: unknown) => {
      throw error instanceof Changed ? conflict(error.message) : error;
    });
    log.info(`${what} removed`, { email, removed: total });
    return { success: true, message: `Removed ${counted(total, what)}.`, removed: total } as const;
  }
}

const changed = { 409: 'The rows are no longer those of the preview; nothing was removed.' };
