import type { IncomingHttpHeaders } from 'node:http';
import { preconditionFailed } from '../errors.ts';

/**
 * Evaluates the conditions of a read whose response would be a 200 (RFC 9110, 13.2.2).
 * @param tag the entity tag of that response, if it has one
 * @returns whether the client has the same response already: the answer is a 304
 * @throws 412 if the request has an If-Match that does not name the tag. It compares strongly, so no weak tag matches.
 */
export function isUnchanged(headers: IncomingHttpHeaders, tag?: string): boolean {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch !== undefined && ifMatch.trim() !== '*' && !namesStrongly(ifMatch, tag)) {
    throw preconditionFailed(
      'If-Match does not name the current version, or names it by a weak tag: omit it.',
    );
  }
  return ifNoneMatch?.trim() === '*' || (tag !== undefined && matches(ifNoneMatch, tag));
}

const namesStrongly = (header: string, tag: string | undefined): boolean =>
  tag !== undefined && !tag.startsWith('W/') && header.split(',').some((one) => one.trim() === tag);

/** Whether an If-None-Match lists an entity tag, by weak comparison (RFC 9110, 8.8.3.2). */
export function matches(header: string | undefined, tag: string): boolean {
  const opaque = (text: string) => text.trim().replace(/^W\//, '');
  return header !== undefined && header.split(',').some((one) => opaque(one) === opaque(tag));
}
