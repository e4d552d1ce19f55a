import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Request, type RequestHandler, Router } from 'express';
import Joi from 'joi';
import type { Knex } from 'knex';
import { badRequest } from '../errors.ts';
import type { Cache } from '../cache/cache.ts';
import type { Collection } from '../cache/state.ts';
import type { DiskWatch } from '../database/disk.ts';
import type { Log } from '../log.ts';
import type { Picture } from '../pictures/picture.ts';
import type { Pictures } from '../pictures/pictures.ts';
import { type BodyReader, isForm, noPicture, uploadReader } from '../pictures/reader.ts';
import { refuseOtherMethods } from './allow.ts';
import { answer } from './answer.ts';
import { isUnchanged } from './conditions.ts';
import { claimOf, keyHeader, once, type Claim, type KeyHeader } from './idempotency.ts';
import { jsonReader } from './json-body.ts';
import { queryOf } from './query.ts';
import { type Outcome, Reply, send } from './reply.ts';
import { requestId } from './request-id.ts';
import { varyBy } from './vary.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** Who may call: anybody, or those whom the gate lets through. */
export type Access = 'public' | 'staff';

export type Staff = { email: string };

/** Resolves to who sends a request. Throws 401 if nobody is signed in, 403 if it isn't one of the staff. */
export type StaffGate = (request: IncomingMessage) => Promise<Staff>;

/** Everything about a call that is said once: it is mounted, validated and documented from this. */
export type Declaration<Params, Query, Headers, Body, Output, Who extends Access> = {
  method: Method;
  /** As Express writes it: `/api/locations/city/:name`. */
  path: string;
  access: Who;
  summary: string;
  input?: {
    params?: Joi.ObjectSchema<Params>;
    query?: Joi.ObjectSchema<Query>;
    /** The headers that matter, their names in lower case; all others are left out. */
    headers?: Joi.ObjectSchema<Headers>;
    /** Required, unless the schema is marked `.optional()`. */
    body?: Joi.ObjectSchema<Body>;
  };
  /**
   * Whether a request with an Idempotency-Key is done only once. What its handler writes has to go through the `db` that it is given;
   * or, `by itself`, the handler hands its `claim` to the one statement that writes.
   */
  idempotent?: true | 'by itself';
  /** For a `get` by anybody: the rows that alone, with the declared input, say what the answer is. It comes from memory while they stay as they are. */
  cached?: Collection;
  /** Whether the call stores something, and so needs room on the disk; all but a `get` do unless told. */
  stores?: boolean;
  /** How many bytes the body may have; 10,000 unless told. */
  bodyLimit?: number;
  /**
   * The field of the body that may have a picture: base64 or a data URL in JSON, a file in multipart/form-data. The handler gets
   * the picture decoded; the field then has the digest of the file, or is empty without one.
   */
  pictureIn?: string;
  /** The body of a 200, where that is JSON. */
  output?: Joi.ObjectSchema<Output>;
  /** What a handler may answer with beside it, by a `Reply`. */
  also?: readonly Outcome[];
  /** The errors that only this call answers with, and when. */
  refuses?: Refusals;
};

/** Statuses of errors, each with what it means. */
export type Refusals = Record<number, string>;

type Input<Params, Query, Headers, Body, Who> = {
  params: Params;
  query: Query;
  headers: Headers;
  body: Body;
  /** The uploaded picture where the route declares `pictureIn`; null without one. */
  picture: Picture | null;
  /** Who calls, where only the staff may. */
  staff: Who;
  /** The database, within the transaction of a request that is done only once. */
  db: Knex;
  /** What names the request where the handler sees to it that it is done only once. */
  claim: Claim;
  /** Whether the request is a HEAD. A `get` route handles HEAD as well. */
  isHead: boolean;
};

/** A group of calls in the API definition. */
export type Feature = { name: string; description: string };

/** A declared call with its handler, whose types only matter where it is written. */
export type Route = Declaration<unknown, unknown, unknown, unknown, unknown, Access> & {
  /** What the call belongs to, as the document groups it. */
  feature?: Feature;
  handler: (input: Input<never, never, never, never, never>) => unknown;
};

/** Declares a call. What `handler` promises is the body of a 200, or a `Reply`; what it throws becomes an error's answer. */
export function route<
  Who extends Access,
  Output = never,
  Params = unknown,
  Query = unknown,
  Headers = unknown,
  Body = unknown,
>(
  declaration: Declaration<Params, Query, Headers, Body, Output, Who>,
  handler: (
    input: Input<Params, Query, Headers, Body, Who extends 'staff' ? Staff : undefined>,
  ) => Output | Reply | Promise<Output | Reply>,
): Route {
  return { ...(declaration as Declaration<unknown, unknown, unknown, unknown, unknown, Access>), handler };
}

/** Everything that a call may answer with, but for errors. */
export function outcomesOf({ output, also = [] }: Route): readonly Outcome[] {
  if (!output) return also;
  return [{ status: 200, description: 'Done.', mediaType: 'application/json', schema: output }, ...also];
}

/** Every error that a call may answer with, from here or from nginx in front. */
export function refusalsOf({ method, path, access, input = {}, idempotent, refuses = {} }: Route): Refusals {
  const changes = method !== 'get';
  const hasInput = path.includes(':') || idempotent || Object.keys(input).length > 0;
  const usual: Refusals = {
    ...(hasInput && { 400: 'The request is malformed or invalid.' }),
    ...(access === 'staff' && { 401: 'Nobody is signed in.' }),
    ...(changes && { 403: 'The call carries a session and comes from a page of another site.' }),
    ...(access === 'staff' && { 403: 'Whoever is signed in is not one of the staff.' }),
    ...(!changes && { 412: 'The request has an If-Match, which no weak entity tag matches.' }),
    ...(input.body && { 413: 'The body is too large.', 415: 'The body is not JSON in UTF-8.' }),
    ...(idempotent && { 422: 'The Idempotency-Key was used for another request.' }),
    ...(changes && { 429: 'There are too many calls from this address.' }),
    503: 'The service cannot do it at the moment.',
  };
  for (const [status, when] of Object.entries(refuses)) {
    const also = usual[Number(status)];
    usual[Number(status)] = also ? `${when} ${also}` : when;
  }
  return usual;
}

type Surroundings = {
  cache: Cache;
  db: Knex;
  disk: DiskWatch;
  gate: StaffGate;
  log: Log;
  pictures: Pictures;
};

const maximumBody = 10_000;
const slow = 1_000;

/** Mounts the routes. A path that is declared, but not with the request's method, is a 405. */
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

function handle(declared: Route, { cache, db, disk, gate, log, pictures }: Surroundings): RequestHandler {
  const { access, input = {}, cached, idempotent, method, path, handler } = declared;
  const params = validator(input.params, { convert: true });
  const query = validator(input.query, { convert: true });
  const headers = validator(input.headers, { convert: true, stripUnknown: true });
  const body = validator(bodySchema(input.body), { convert: false });
  // A form has texts only.
  const form = validator(bodySchema(input.body), { convert: true });
  const keys = validator(idempotent ? keyHeader : undefined, { stripUnknown: true });
  const readBody = input.body && bodyReader(declared, pictures);
  const stores = declared.stores ?? method !== 'get';
  const negotiates = input.headers !== undefined && 'accept' in (input.headers.describe().keys as object);
  return async (request, response) => {
    const begin = performance.now();
    // First of all: a stranger's body is not worth reading.
    const staff = access === 'staff' ? await gate(request) : undefined;
    if (stores) await disk.demand();
    const read = await readBody?.(request, response);
    const asked = {
      params: params(request.params),
      query: query(queryOf(request.url)),
      headers: headers(request.headers),
      body: (isForm(request) ? form : body)(read?.body),
    };
    const { 'idempotency-key': key } = (keys(request.headers) ?? {}) as KeyHeader;
    const picture = (await read?.picture()) ?? null;
    const isHead = request.method === 'HEAD';
    if (negotiates) varyBy(response, 'Accept');
    const work = async (db: Knex, claim?: Claim) =>
      handler({ ...asked, picture, staff, db, claim, isHead } as never);
    const claim = (key: string) => claimOf({ key, call: `${method} ${path}`, input: asked });
    if (cached) {
      const name = `${path} ${JSON.stringify([asked.params, asked.query, asked.headers])}`;
      await cache.answer(request, response, { collection: cached, name, make: () => work(db) });
    } else {
      const output =
        idempotent === 'by itself'
          ? await work(db, claim(key ?? randomUUID()))
          : await (key === undefined ? work(db) : once(db, claim(key), work));
      // What only the staff may see is not for any cache.
      if (staff) response.setHeader('Cache-Control', 'no-store');
      if (method === 'get' && isHeld(request, output)) await send(response, unchanged(output));
      else if (output instanceof Reply) await send(response, output);
      else answer(response, 200, output);
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

function bodyReader(
  { pictureIn: field, bodyLimit: limit = maximumBody }: Route,
  pictures: Pictures,
): BodyReader {
  if (field !== undefined) return uploadReader({ pictures, field, limit, small: maximumBody });
  const read = jsonReader(limit);
  return async (request, response) => {
    await read(request, response);
    return { body: request.body, picture: noPicture };
  };
}

/** Whether the client has the output of a read already. Throws 412 if another condition of the request does not hold. */
function isHeld({ headers }: Request, output: unknown): boolean {
  if (!(output instanceof Reply)) return isUnchanged(headers);
  return output.status === 200 && isUnchanged(headers, output.headers['ETag']?.toString());
}

/** A 304 with the headers of the 200 that belong to it (RFC 9110, 15.4.5). */
function unchanged(output: unknown): Reply {
  const headers = output instanceof Reply ? output.headers : {};
  const kept = ['ETag', 'Cache-Control', 'Vary'].filter((name) => name in headers);
  return new Reply(304, Object.fromEntries(kept.map((name) => [name, headers[name]!])), '');
}

function bodySchema(declared: Joi.ObjectSchema | undefined): Joi.ObjectSchema | undefined {
  return (declared && isOptional(declared) ? declared : declared?.required())?.label('The body');
}

/** Whether a schema is marked `.optional()`. */
export function isOptional(schema: Joi.Schema): boolean {
  const flags: { presence?: string } = schema.describe().flags ?? {};
  return flags.presence === 'optional';
}

function validator(schema: Joi.ObjectSchema | undefined, options: Joi.ValidationOptions) {
  const prepared = schema?.prefs({
    ...options,
    errors: { wrap: { label: false } },
    // Joi's own would repeat the whole value.
    messages: { 'string.pattern.base': '{#label} does not have the form that it needs' },
  });
  return (value: unknown): unknown => {
    if (!prepared) return undefined;
    const result = prepared.validate(value);
    if (result.error) throw badRequest(`${result.error.message}.`);
    return result.value;
  };
}
