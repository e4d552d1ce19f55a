import Joi from 'joi';

export type Authorized = { authorized: boolean };

export const authorized = Joi.object<Authorized, true>({
  authorized: Joi.boolean().required().description('Whether the address is on the staff list.'),
});

// Google's button sends more fields than the token.
export const credential = Joi.object<{ credential?: string }, true>({
  credential: Joi.string().max(8_000).description('An ID token of Google.'),
})
  .unknown()
  .optional();

export const authorization = Joi.object<{ authorization?: string }, true>({ authorization: Joi.string() });

export const cookie = Joi.object<{ cookie?: string }, true>({ cookie: Joi.string() });

/** The Authorization header of the console's older sign-in. Its profile is not signed and proves nothing. */
export const legacy = Joi.object<{ tokenObj: { id_token: string } }, true>({
  tokenObj: Joi.object({ id_token: Joi.string().required() }).unknown().required(),
}).unknown();

export type Refused = { success: false; message: string; error: string };

export const refused = Joi.object<Refused, true>({
  success: Joi.boolean().valid(false).required(),
  message: Joi.string().required(),
  error: Joi.string().required(),
});
