import Joi from 'joi';
import { tally } from '../http/fields.ts';

export type Counts = { counts: { name: string; total: number }[] };

export const counts = Joi.object<Counts, true>({
  counts: Joi.array()
    .items(Joi.object({ name: Joi.string().required(), total: tally.required() }))
    .required(),
});
