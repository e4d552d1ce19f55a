import type { IncomingHttpHeaders } from 'node:http';
import Joi from 'joi';
import { badRequest } from './errors.ts';

/** The headers that determine the URL at which a client reaches the API. */
export type Addressed = { host: string; 'x-forwarded-proto': 'http' | 'https' };

/** nginx sets both. A client that reaches a worker without nginx can forge them, but only affects its own response. */
export const addressed = Joi.object<Addressed>({
  host: Joi.string()
    .max(255)
    .pattern(/^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i)
    .required(),
  'x-forwarded-proto': Joi.valid('http', 'https').default('http'),
});

/** Returns the base URL of the API, without a slash at its end. */
export function baseOf({ host, 'x-forwarded-proto': scheme }: Addressed): string {
  return `${scheme}://${host}`;
}

/** Like `baseOf`, for headers that no route has validated. Throws 400 if they contain no valid host. */
export function baseOfHeaders(headers: IncomingHttpHeaders): string {
  const { value, error } = addressed.validate(headers, { stripUnknown: true });
  if (error) throw badRequest(`${error.message}.`);
  return baseOf(value);
}
