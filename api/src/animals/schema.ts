import Joi from 'joi';
import { coordinates, latitude, longitude } from '../http/fields.ts';

export type Animal = {
  coordinates: { latitude: number; longitude: number };
  animal_name: string;
  location_name: string;
  placement_year: number | null;
  animal_type: string;
  animal_notes: string;
  animal_images: string;
};

export type Animals = { animal_locations: Animal[] };

const animal = Joi.object<Animal, true>({
  coordinates: coordinates.required(),
  animal_name: Joi.string().allow('').required(),
  location_name: Joi.string().allow('').required(),
  placement_year: Joi.number().integer().allow(null).required(),
  animal_type: Joi.string().allow('').required(),
  animal_notes: Joi.string().allow('').required(),
  animal_images: Joi.string()
    .allow('')
    .required()
    .description('The picture as base64, empty where there is none.'),
});

export const animals = Joi.object<Animals, true>({ animal_locations: Joi.array().items(animal).required() });

export type Place = { latitude: number; longitude: number };

export const place = Joi.object<Place, true>({
  latitude: latitude.required(),
  longitude: longitude.required(),
});
