import Joi from 'joi';

/** The headers that say at which address a client reaches the API. */
export type Addressed = { host: string; 'x-forwarded-proto': 'http' | 'https' };

/** nginx sets both. Who asks a worker without it may lie, but only to himself: whatever is answered is answered to these headers. */
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
