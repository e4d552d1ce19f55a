import type { RequestHandler, Response } from 'express';
import { methodNotAllowed } from '../errors.ts';

/** What Express's `route` returns, whatever its path. */
type Place = Record<'options' | 'all', (handler: RequestHandler) => unknown>;

/** Answers OPTIONS with the methods of an address (RFC 9110, 9.3.7) and every method that it lacks with a 405. Call it after its handlers. */
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
    throw methodNotAllowed(`This address takes ${allowed} only.`);
  });
}

const order = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];

/** A GET comes with HEAD, and every address answers OPTIONS. */
function allowedBy(methods: readonly string[]): string {
  const all = new Set([...methods.map((method) => method.toUpperCase()), 'OPTIONS']);
  if (all.has('GET')) all.add('HEAD');
  return order.filter((method) => all.has(method)).join(', ');
}
