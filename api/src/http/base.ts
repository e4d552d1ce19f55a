import type { IncomingHttpHeaders } from 'node:http';
import Joi from 'joi';
import { badRequest } from '../errors.ts';

/** The headers that say at which address a client reaches the API. */
export type Addressed = { host: string; 'x-forwarded-proto': 'http' | 'https' };

/** nginx sets both. A client that reaches a worker without nginx can forge them, but only affects its own response. */
export const addressed = Joi.object<Addressed>({
  host: Joi.string()
    .max(255)
    .pattern(/^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i)
    .required(),
  'x-forwarded-proto': Joi.valid('http', 'https').default('http'),
});

/** The beginning of all the API's addresses, without a slash at its end. */
export function baseOf({ host, 'x-forwarded-proto': scheme }: Addressed): string {
  return `${scheme}://${host}`;
}

/** The same from headers that no route has validated. Throws 400 if they name no address. */
export function baseOfHeaders(headers: IncomingHttpHeaders): string {
  const { value, error } = addressed.validate(headers, { stripUnknown: true });
  if (error) throw badRequest(`${error.message}.`);
  return baseOf(value);
}
