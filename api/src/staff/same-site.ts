import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { forbidden } from '../http/errors.ts';
import { sealedIn } from './session.ts';

const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Rejects cross-site requests that change something and carry the session cookie (CSRF). */
export const refuseOtherSites: RequestHandler = ({ method, headers }, _response, next) => {
  if (!safe.has(method) && sealedIn(headers.cookie) !== undefined && isFromElsewhere(headers)) {
    throw forbidden('Requests with a session cookie must come from a page of the same site.');
  }
  next();
};

function isFromElsewhere({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  // `none`: the user started the request, for example from a bookmark.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // Older browsers send only Origin. Clients that are not browsers send neither header, and no other site can make them
  // send a cookie.
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
}
