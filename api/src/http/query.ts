import { parse } from 'node:querystring';
import { badRequest } from '../errors.ts';

/** The parameters of an address. Throws 400 for what is not UTF-8, which would come out as other text. */
export function queryOf(text: string | null): object {
  try {
    decodeURIComponent(text ?? '');
  } catch {
    throw badRequest('The address is malformed.');
  }
  return parse(text ?? '');
}
