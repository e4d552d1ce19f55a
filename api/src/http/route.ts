import { isUtf8 } from 'node:buffer';
import express, { Router, type RequestHandler } from 'express';
import Joi from 'joi';
import { badRequest, methodNotAllowed, unsupportedMediaType } from '../errors.ts';
import type { Log } from '../log.ts';
import { answer } from './answer.ts';
import { requestId } from './request-id.ts';

export type Method = 'get' | 'post' | 'delete';

/** Everything about a call that is said once: it is mounted, validated and documented from this. */
export type Declaration<Params, Query, Body, Output> = {
  method: Method;
  /** As Express writes it: `/api/locations/city/:name`. */
  path: string;
  /** Who may call it: anybody. */
  access: 'public';
  summary: string;
  input?: {
    params?: Joi.ObjectSchema<Params>;
    query?: Joi.ObjectSchema<Query>;
    body?: Joi.ObjectSchema<Body>;
  };
  /** The body of a 200. */
  output: Joi.ObjectSchema<Output>;
};

type Input<Params, Query, Body> = { params: Params; query: Query; body: Body };

/** A declared call with its handler, whose types only matter where it is written. */
export type Route = Declaration<unknown, unknown, unknown, unknown> & {
  handler: (input: Input<never, never, never>) => unknown;
};

/** Declares a call. What `handler` promises is the body of a 200; what it throws becomes an error's answer. */
export function route<Output, Params = unknown, Query = unknown, Body = unknown>(
  declaration: Declaration<Params, Query, Body, Output>,
  handler: (input: Input<Params, Query, Body>) => Output | Promise<Output>,
): Route {
  return { ...(declaration as Declaration<unknown, unknown, unknown, unknown>), handler };
}

const maximumBody = 10_000;
const slow = 1_000;

/** Mounts the routes. A path that is declared, but not with the request's method, is a 405. */
export function mount(routes: readonly Route[], log: Log): Router {
  const router = Router();
  for (const [path, siblings] of Map.groupBy(routes, ({ path }) => path)) {
    const place = router.route(path);
    for (const each of siblings) place[each.method](...handlers(each, log));
    const allowed = siblings.map(({ method }) => method.toUpperCase()).join(', ');
    place.all((_request, response) => {
      response.setHeader('Allow', allowed);
      throw methodNotAllowed(`This address takes ${allowed} only.`);
    });
  }
  return router;
}

function handlers(declared: Route, log: Log): RequestHandler[] {
  const { input = {}, method, path, handler } = declared;
  const params = validator(input.params, { convert: true });
  const query = validator(input.query, { convert: true });
  const body = validator(input.body?.required().label('The body'), { convert: false });
  const handle: RequestHandler = async (request, response) => {
    const begin = performance.now();
    const output = await handler({
      params: params(request.params) as never,
      query: query(request.query) as never,
      body: body(request.body) as never,
    });
    answer(response, 200, output);
    const milliseconds = Math.round(performance.now() - begin);
    if (milliseconds > slow) {
      log.warn('slow request', { method, route: path, milliseconds, requestId: requestId(request) });
    }
  };
  return input.body ? [requireJson, parseJson, handle] : [handle];
}

function validator(schema: Joi.ObjectSchema | undefined, options: Joi.ValidationOptions) {
  const prepared = schema?.prefs({ ...options, errors: { wrap: { label: false } } });
  return (value: unknown): unknown => {
    if (!prepared) return undefined;
    const result = prepared.validate(value);
    if (result.error) throw badRequest(`${result.error.message}.`);
    return result.value;
  };
}

const requireJson: RequestHandler = (request, _response, next) => {
  // `is` answers null for a request without a body, which validation then refuses.
  if (request.is(['application/json', 'application/*+json']) === false) {
    throw unsupportedMediaType('The body must be JSON, with the header Content-Type: application/json.');
  }
  next();
};

const parseJson = express.json({
  limit: maximumBody,
  inflate: false,
  type: () => true,
  verify(_request, _response, bytes) {
    if (!isUtf8(bytes)) throw badRequest('The body is not valid UTF-8.');
  },
});
