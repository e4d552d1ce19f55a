import Joi from 'joi';
import { wrapped, type Place } from '../geocoder/geocoder.ts';
import { coordinates, done, id, latitude, storable, tally, text, type Done } from '../http/fields.ts';

export type Point = { lat: number; long: number };

/** After more than one turn of the globe, the client sends longitudes beyond 180 degrees. */
const longitude = Joi.number()
  .unsafe()
  .custom(wrapped)
  .description('Degrees east. Values outside -180 to 180 are wrapped.');

export const point = Joi.object<Point, true>({ lat: latitude.required(), long: longitude.required() }).meta({
  component: 'Point',
  example: { lat: 48.8584, long: 2.2945 },
});

export type Named = { [Name in keyof Place]: Place[Name] | null } & { success: boolean; message?: string };

const maybe = Joi.string().allow(null).required();

export const named = Joi.object<Named, true>({
  success: Joi.boolean().required(),
  city: maybe.allow(''),
  state: maybe.allow(''),
  country: maybe.allow(''),
  message: Joi.string(),
}).meta({
  component: 'NamedPlace',
  example: { success: true, city: 'Paris', state: 'Île-de-France', country: 'France' },
});

export type PinAdded = Place & {
  success: true;
  city_count: number;
  state_count: number;
  country_count: number;
  distance: number;
  message: string;
};

export const pinAdded = Joi.object<PinAdded, true>({
  success: Joi.boolean().valid(true).required(),
  city: maybe,
  state: maybe,
  country: Joi.string().required(),
  city_count: tally.required(),
  state_count: tally.required(),
  country_count: tally.required(),
  distance: Joi.number().min(0).required().description('Statute miles from the rescue centre.'),
  message: Joi.string().required(),
}).meta({
  component: 'PinAdded',
  example: {
    success: true,
    city: 'Paris',
    state: 'Île-de-France',
    country: 'France',
    city_count: 12,
    state_count: 15,
    country_count: 31,
    distance: 5646.7,
    message: 'The pin is stored.',
  },
});

export type Pin = Place & {
  id: number;
  coordinates: { latitude: number; longitude: number };
  visit_date: string;
};

const pin = Joi.object<Pin, true>({
  id: id.required(),
  coordinates: coordinates.required(),
  city: maybe,
  state: maybe,
  country: Joi.string().required(),
  visit_date: Joi.string().isoDate().required(),
}).meta({
  component: 'Pin',
  example: {
    id: 17,
    coordinates: { latitude: 48.8584, longitude: 2.2945 },
    city: 'Paris',
    state: 'Île-de-France',
    country: 'France',
    visit_date: '2026-07-01T12:00:00.000Z',
  },
});

export type Pins = { locations: Pin[] };

export const pins = Joi.object<Pins, true>({ locations: Joi.array().items(pin).required() }).meta({
  component: 'Pins',
});

export type PinId = { id: number };

export const pinId = Joi.object<PinId, true>({ id: id.required() });

export type Correction = {
  lat?: number;
  long?: number;
  city?: string | null;
  state?: string | null;
  country?: string;
};

/** The maximum length of the name of a city, state or country, in characters. */
export const longestName = 200;

const placeName = storable(longestName);

export const correction = Joi.object<Correction, true>({
  lat: latitude,
  long: longitude,
  city: placeName.allow(null),
  state: placeName.allow(null),
  country: placeName,
})
  .and('lat', 'long')
  .or('lat', 'city', 'state', 'country')
  .meta({ component: 'PinCorrection', example: { city: 'Laguna Beach', state: 'California' } });

export const pinCorrected = done
  .append<Done & { location: Pin }>({ location: pin.required() })
  .meta({ component: 'PinCorrected' });

export type Name = { name: string };

export const name = Joi.object<Name, true>({ name: text(200).required() });

export type Region = { country?: string; state?: string };

export const region = Joi.object<Region, true>({
  country: text(200).allow(''),
  state: text(200).allow(''),
});

export type PinCounts = {
  success: true;
  total_visitors: number;
  unique_states: number;
  unique_countries: number;
  unqiue_countries: number;
  this_state_count?: number;
  this_country_count?: number;
};

export const pinCounts = Joi.object<PinCounts, true>({
  success: Joi.boolean().valid(true).required(),
  total_visitors: tally.required(),
  unique_states: tally.required().description('Only states of the United States.'),
  unique_countries: tally.required(),
  unqiue_countries: tally
    .required()
    .description('The same number under the misspelled name that the kiosk reads.'),
  this_state_count: tally,
  this_country_count: tally,
}).meta({ component: 'PinCounts' });
