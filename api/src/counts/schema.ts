import Joi from 'joi';
import { storable, tally } from '../http/fields.ts';

export type Count = { name: string; total: number };

const name = storable(100);

const count = Joi.object<Count, true>({ name: name.required(), total: tally.required() }).meta({
  component: 'Total',
  example: { name: 'num_rescues', total: 10_000 },
});

export const counts = Joi.object<{ counts: Count[] }, true>({
  counts: Joi.array().items(count).required(),
});

const wrong = '{#label} must be a whole number, at least 0';

// The console sends the text of an input field.
const total = Joi.alternatives(
  tally,
  Joi.string()
    .pattern(/^[0-9]{1,15}$/)
    .custom(Number),
).messages({
  'alternatives.match': wrong,
  'alternatives.types': wrong,
});

// Not strict, because strict object types do not accept alternatives for a number.
export const newCount = Joi.object<Count>({ name: name.required(), total: total.required() });

export const countName = Joi.object<{ name: string }, true>({ name: name.required() });

export const newTotal = Joi.object<{ new_total: number }>({ new_total: total.required() });
