import { parse } from 'node:querystring';
import { badRequest } from '../errors.ts';

/** The parameters of a request's address. Throws 400 for what is not UTF-8, which would come out as other text. */
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

/** Throws 400 if an address has any parameter (OGC 17-069r4, /req/core/query-param-unknown). */
export function refuseParameters(address: string): void {
  const [name] = Object.keys(queryOf(address));
  if (name !== undefined) throw badRequest(`${name} is not allowed.`);
}
