import Joi from 'joi';
import { coordinates, done, id, latitude, longitude, note, storable, type Done } from '../http/fields.ts';

export type Animal = {
  id: number;
  coordinates: { latitude: number; longitude: number };
  animal_name: string;
  location_name: string;
  placement_year: number | null;
  animal_type: string;
  animal_notes: string;
  animal_images: string;
  picture_url: string | null;
};

export type Animals = { animal_locations: Animal[] };

const stored = {
  animal_name: Joi.string().allow('').required(),
  location_name: Joi.string().allow('').required(),
  placement_year: Joi.number().integer().allow(null).required(),
  animal_type: Joi.string().allow('').required(),
  animal_notes: Joi.string().allow('').required(),
  animal_images: Joi.string()
    .allow('')
    .required()
    .description(
      'The picture as base64: a JPEG 640 pixels wide. In the lists an animal without a picture has a default one.',
    ),
  picture_url: Joi.string()
    .allow(null)
    .required()
    .description(
      'Path of the picture as a file, up to 1,600 pixels wide or high, or smaller with ?width=320, 640 or 1280. Null for an animal without a picture.',
    ),
};

const animal = Joi.object<Animal, true>({
  id: id.required(),
  coordinates: coordinates.required(),
  ...stored,
}).meta({ component: 'Animal' });

export const animals = Joi.object<Animals, true>({
  animal_locations: Joi.array().items(animal).required(),
}).meta({ component: 'Animals' });

export type Place = { latitude: number; longitude: number };

export const place = Joi.object<Place, true>({
  latitude: latitude.required(),
  longitude: longitude.required(),
});

export type Described = {
  animal_name: string;
  location_name: string;
  placement_year: number | string | null;
  animal_type: string;
  animal_notes: string;
  animal_images: string;
};

export type NewAnimal = Described & { lat: number; long: number };

export type NewAnimalAt = Described & { address: string };

/** The maximum length of each text, in characters. */
export const longest = { animal_name: 200, location_name: 200, animal_type: 200, animal_notes: 5_000 };

const described = {
  animal_name: storable(longest.animal_name).required(),
  location_name: storable(longest.location_name).required(),
  placement_year: Joi.alternatives(
    Joi.number().integer().min(1000).max(2999),
    Joi.string().pattern(/^[12][0-9]{3}$/),
  )
    .allow(null, '')
    .required()
    .messages({
      'alternatives.match': '{#label} must be a year of four digits, or empty',
      'alternatives.types': '{#label} must be a year of four digits, or empty',
    }),
  animal_type: note(longest.animal_type),
  animal_notes: note(longest.animal_notes),
  animal_images: Joi.string()
    .allow('')
    .default('')
    .description(
      'The picture itself: base64 or a data URL in JSON, a file in multipart/form-data. JPEG, PNG, WebP, GIF, AVIF or TIFF, at most 25 MB and 100 megapixels (AVIF: 40).',
    ),
};

export const newAnimal = Joi.object<NewAnimal, true>({
  lat: latitude.required(),
  long: longitude.required(),
  ...described,
});

export const newAnimalAt = Joi.object<NewAnimalAt, true>({ address: storable(300).required(), ...described });

export type AnimalAdded = Done & Omit<Animal, 'coordinates'> & { lat: number; long: number };

export const animalAdded = done.append<AnimalAdded>({
  id: id.required(),
  lat: latitude.required(),
  long: longitude.required(),
  ...stored,
});

export type AnimalId = { id: number };

export const animalId = Joi.object<AnimalId, true>({ id: id.required() });

/** Omitted fields stay unchanged. An empty picture removes the picture. */
export type AnimalChange = Partial<NewAnimal>;

export const animalChange = Joi.object<AnimalChange>({
  lat: latitude,
  long: longitude,
  ...described,
})
  .fork(Object.keys(described), (field) => field.optional())
  .and('lat', 'long')
  .min(1)
  .prefs({ noDefaults: true });

export type AnimalChanged = Done & { animal: Animal };

export const animalChanged = done.append<AnimalChanged>({ animal: animal.required() });
