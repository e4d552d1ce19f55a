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
