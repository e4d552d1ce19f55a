import Joi from 'joi';
import { storable } from '../http/fields.ts';

export type City = { city: string };

export const city = Joi.object<City, true>({ city: storable(200).required() });

export type CityPicture = { image: string };

export const cityPicture = Joi.object<CityPicture, true>({
  image: Joi.string().required().description('A picture as base64.'),
});
