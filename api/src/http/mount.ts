import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RequestHandler, Router } from 'express';
import type { Knex } from 'knex';
import type { Claim } from '../database/claim.ts';
import type { DiskWatch } from '../database/disk.ts';
import type { Collection } from '../database/tables.ts';
import type { Log } from '../log.ts';
import { refuseOtherMethods } from './allow.ts';
import { bodyReaderOf, type UploadReader } from './body.ts';
import { claimOf, once } from './idempotency.ts';
import { writes } from './limit.ts';
import { sendOutput } from './output.ts';
import { requestId } from './request-id.ts';
import type { Route, StaffGate } from './route.ts';
import { validatorOf } from './validation.ts';
import { varyBy } from './vary.ts';

/** A request for cached output. `name` identifies everything the output depends on except the rows of the collection; `make` computes it. */
export type Question = { collection: Collection; name: string; make: () => Promise<unknown> };

/** Serves cached responses, never stale ones. */
export type Cache = {
  answer: (request: IncomingMessage, response: ServerResponse, question: Question) => Promise<void>;
};

type Surroundings = {
  cache: Cache;
  db: Knex;
  disk: DiskWatch;
  gate: StaffGate;
  log: Log;
  uploadReader: UploadReader;
};

/** Milliseconds after which a request is logged as slow. */
const slow = 1_000;

/** Mounts the routes. A request with a method that no route of its path declares gets a 405. */
export function mount(routes: readonly Route[], surroundings: Surroundings): Router {
  const router = Router();
  for (const [path, siblings] of Map.groupBy(routes, ({ path }) => path)) {
    const place = router.route(path);
    for (const each of siblings) place[each.method](handle(each, surroundings));
    refuseOtherMethods(
      place,
      siblings.map(({ method }) => method),
    );
  }
  return router;
}

function handle(route: Route, { cache, db, disk, gate, log, uploadReader }: Surroundings): RequestHandler {
  const { access, input = {}, cached, idempotent, method, path } = route;
  const validate = validatorOf(route);
  const readBody = bodyReaderOf(route, uploadReader);
  const stores = writes(route);
  const negotiates = input.headers !== undefined && 'accept' in (input.headers.describe().keys as object);
  const pooled = route.makeStore(db);
  return async (request, response) => {
    const begin = performance.now();
    // First, so that the body of a rejected request is not read.
    const staff = access === 'staff' ? await gate(request) : undefined;
    if (stores) await disk.demand();
    const read = await readBody?.(request, response);
    const { values, key } = validate(request, read?.body);
    const picture = (await read?.picture()) ?? null;
    const isHead = request.method === 'HEAD';
    if (negotiates) varyBy(response, 'Accept');
    const work = async (store: unknown, claim?: Claim) =>
      route.handler({ ...values, picture, staff, store, claim, isHead });
    const claim = (key: string) => claimOf({ key, call: `${method} ${path}`, input: values });
    if (cached) {
      const name = `${path} ${JSON.stringify([values.params, values.query, values.headers])}`;
      await cache.answer(request, response, { collection: cached, name, make: () => work(pooled) });
    } else if (idempotent === 'by the store') {
      await sendOutput(route, request, response, await work(pooled, claim(key ?? randomUUID())));
    } else if (idempotent && key !== undefined) {
      const reply = await once(db, claim(key), (transaction) => work(route.makeStore(transaction)));
      await sendOutput(route, request, response, reply);
    } else {
      await sendOutput(route, request, response, await work(pooled));
    }
    const milliseconds = Math.round(performance.now() - begin);
    if (staff && method !== 'get') {
      log.info('staff call', { method, route: path, email: staff.email, requestId: requestId(response) });
    }
    if (milliseconds > slow) {
      log.warn('slow request', { method, route: path, milliseconds, requestId: requestId(response) });
    }
  };
}
