import Joi from 'joi';

/** Degrees north. Text from a query may have more digits than a double holds; the nearest double is what is meant. */
export const latitude = Joi.number().unsafe().min(-90).max(90).description('Degrees north.');

/** Degrees east. */
export const longitude = Joi.number().unsafe().min(-180).max(180).description('Degrees east.');

/** How many of something there are. */
export const tally = Joi.number().integer().min(0);

export const coordinates = Joi.object<{ latitude: number; longitude: number }, true>({
  latitude: latitude.required(),
  longitude: longitude.required(),
});

/** What names a row. Past 2^53 a double holds no id exactly, and no table has that many. */
export const id = Joi.number().integer().min(1);

/** Text as the database stores it: without the blanks around it, something, and no more than `longest` UTF-16 units. PostgreSQL takes no NUL. */
export const storable = (longest: number) =>
  Joi.string()
    .prefs({ convert: true })
    .trim()
    .max(longest)
    // oxlint-disable-next-line no-control-regex -- it is what must not be there
    .pattern(/^[^\0]*[^\s\0][^\0]*$/)
    .messages({ 'string.pattern.base': '{#label} holds a character that cannot be stored' });

export type Done = { success: true; message: string };

/** What is answered by calls that only do something. */
export const done = Joi.object<Done, true>({
  success: Joi.boolean().valid(true).required(),
  message: Joi.string().required(),
});
