import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { forbidden } from '../errors.ts';
import { sealedIn } from './session.ts';

const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Refuses calls that change something and that a page of another site had a browser send, the session cookie with it. */
export const refuseOtherSites: RequestHandler = ({ method, headers }, _response, next) => {
  if (!safe.has(method) && sealedIn(headers.cookie) !== undefined && isFromElsewhere(headers)) {
    throw forbidden('Calls that carry a session must come from a page of this same site.');
  }
  next();
};

function isFromElsewhere({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  // `none`: the user's own doing, as by a bookmark.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  // Old browsers say no more than this, and what is no browser says nothing: no other site can make that send a cookie.
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
}
