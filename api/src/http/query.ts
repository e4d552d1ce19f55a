import { parse } from 'node:querystring';
import { badRequest } from './errors.ts';

/** Parses the query parameters of a URL. Throws 400 for invalid UTF-8, which would be decoded to other text. */
export function queryOf(address: string): object {
  const mark = address.indexOf('?');
  const text = mark < 0 ? '' : address.slice(mark + 1);
  try {
    decodeURIComponent(text);
  } catch {
    throw badRequest('The address is malformed.');
  }
  return parse(text);
}

/** Throws 400 if a URL has any query parameter (OGC 17-069r4, /req/core/query-param-unknown). */
export function refuseParameters(address: string): void {
  const [name] = Object.keys(queryOf(address));
  if (name !== undefined) throw badRequest(`${name} is not allowed.`);
}
