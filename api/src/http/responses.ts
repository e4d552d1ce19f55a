import { isVisitorWrite, limitOf } from './limit.ts';
import type { Route } from './route.ts';
import type { Outcome } from './reply.ts';

/** Error statuses with their meanings. */
export type Refusals = Record<number, string>;

/** Every response of a route except errors. */
export function outcomesOf({ output, also = [] }: Route): readonly Outcome[] {
  if (!output) return also;
  return [{ status: 200, description: 'Done.', mediaType: 'application/json', schema: output }, ...also];
}

/** Every error response of a route, from a worker or from nginx in front. */
export function refusalsOf(route: Route): Refusals {
  const { method, path, access, input = {}, idempotent, refuses = {} } = route;
  const changes = method !== 'get';
  const hasInput = path.includes(':') || idempotent || Object.keys(input).length > 0;
  const usual: Refusals = {
    ...(hasInput && { 400: 'The request is malformed or invalid.' }),
    ...(access === 'staff' && { 401: 'The client is not signed in.' }),
    ...(changes && { 403: 'The request has a session cookie and comes from a page of another site.' }),
    ...(access === 'staff' && { 403: 'The client is signed in, but not on the staff list.' }),
    ...(!changes && { 412: 'The request has an If-Match, which no weak entity tag matches.' }),
    ...(input.body && { 413: 'The body is too large.', 415: 'The body is not JSON in UTF-8.' }),
    ...(idempotent && { 422: 'The Idempotency-Key was used for another request.' }),
    ...(limitOf(route) && { 429: 'There are too many requests from this address.' }),
    ...(isVisitorWrite(route) && {
      429: 'There are too many requests from this address, or from all visitors together.',
    }),
    503: 'The service is not available at the moment.',
  };
  for (const [status, when] of Object.entries(refuses)) {
    const also = usual[Number(status)];
    usual[Number(status)] = also ? `${when} ${also}` : when;
  }
  return usual;
}
