import type { RequestHandler, Response } from 'express';
import { methodNotAllowed } from './errors.ts';

/** The return type of Express's `route`, for any path. */
type Place = Record<'options' | 'all', (handler: RequestHandler) => unknown>;

/**
 * Adds OPTIONS, which lists the methods of a path (RFC 9110, 9.3.7), and a 405 for every other method. Call it after
 * the path's handlers.
 */
export function refuseOtherMethods(place: Place, methods: readonly string[]): void {
  const allowed = allowedBy(methods);
  const allow = (response: Response) => response.setHeader('Allow', allowed);
  place.options((_request, response) => {
    allow(response);
    response.statusCode = 204;
    response.end();
  });
  place.all((_request, response) => {
    allow(response);
    throw methodNotAllowed(`This address supports only ${allowed}.`);
  });
}

const order = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];

/** GET implies HEAD, and every path supports OPTIONS. */
function allowedBy(methods: readonly string[]): string {
  const all = new Set([...methods.map((method) => method.toUpperCase()), 'OPTIONS']);
  if (all.has('GET')) all.add('HEAD');
  return order.filter((method) => all.has(method)).join(', ');
}
