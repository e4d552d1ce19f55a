import type { IncomingHttpHeaders } from 'node:http';
import { preconditionFailed } from './errors.ts';

/**
 * Evaluates the conditions of a read whose response would be a 200 (RFC 9110, 13.2.2).
 * @param tag the entity tag of that response, if it has one
 * @returns whether the client already has the same response, so that the status is 304
 * @throws 412 if the request has an If-Match that does not contain the tag. The comparison is strong, so no weak tag
 * matches.
 */
export function isUnchanged(headers: IncomingHttpHeaders, tag?: string): boolean {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch !== undefined && ifMatch.trim() !== '*' && !namesStrongly(ifMatch, tag)) {
    throw preconditionFailed(
      'If-Match does not contain the current entity tag, or contains a weak one: omit it.',
    );
  }
  return ifNoneMatch?.trim() === '*' || (tag !== undefined && matches(ifNoneMatch, tag));
}

const namesStrongly = (header: string, tag: string | undefined): boolean =>
  tag !== undefined && !tag.startsWith('W/') && header.split(',').some((one) => one.trim() === tag);

/** Whether an If-None-Match contains an entity tag, by weak comparison (RFC 9110, 8.8.3.2). */
export function matches(header: string | undefined, tag: string): boolean {
  const opaque = (text: string) => text.trim().replace(/^W\//, '');
  return header !== undefined && header.split(',').some((one) => opaque(one) === opaque(tag));
}
