import Joi from 'joi';
import { unavailable } from '../http/errors.ts';
import { fetchOutside, OutsideTrouble } from '../http/outside.ts';
import type { Log } from '../log.ts';
import { notThere, type FindAddress, type Found } from './find.ts';

/** A service that responds in the format of OpenCage or Nominatim. */
export type RemoteGeocoder = { url: string; key: string | null };

const limits = { seconds: 5, bytes: 200_000 };

/**
 * Geocodes addresses through a remote service. The key appears only in the request URL, never in the log or in an
 * error.
 */
export function askRemote({ url, key }: RemoteGeocoder, log: Log): FindAddress {
  return async (address) => {
    let places: Found[];
    try {
      const answer = await fetchOutside(question(url, key, address), limits);
      places = answer ? placesIn(answer.toString()) : [];
    } catch (error) {
      if (!(error instanceof OutsideTrouble)) throw error;
      log.warn('addresses cannot be looked up', { cause: error.message });
      throw unavailable(
        'Addresses cannot be looked up at the moment: please try again later, or give the point.',
      );
    }
    const [first] = places;
    if (!first) throw notThere();
    return first;
  };
}

/** Sends the parameters of both services. Each ignores the parameters of the other. */
function question(url: string, key: string | null, address: string): URL {
  const asked = new URL(url);
  const parameters = { q: address, limit: '1', format: 'jsonv2', no_annotations: '1', ...(key && { key }) };
  for (const [name, value] of Object.entries(parameters)) asked.searchParams.set(name, value);
  return asked;
}

const latitude = Joi.number().min(-90).max(90).required();
const longitude = Joi.number().min(-180).max(180).required();

/** https://opencagedata.com/api#forward-resp */
const openCage = Joi.object({
  results: Joi.array()
    .items(
      Joi.object({
        geometry: Joi.object({ lat: latitude, lng: longitude }).required(),
        formatted: Joi.string().required(),
      }),
    )
    .required(),
});

/** https://nominatim.org/release-docs/latest/api/Output/#json */
const nominatim = Joi.array().items(
  Joi.object({ lat: latitude, lon: longitude, display_name: Joi.string().required() }),
);

type Answers =
  | { results: { geometry: { lat: number; lng: number }; formatted: string }[] }
  | { lat: number; lon: number; display_name: string }[];

function placesIn(text: string): Found[] {
  const answer = parsed(text);
  if (Array.isArray(answer)) {
    return answer.map(({ lat, lon, display_name }) => ({ lat, long: lon, name: display_name }));
  }
  return answer.results.map(({ geometry: { lat, lng }, formatted }) => ({ lat, long: lng, name: formatted }));
}

function parsed(text: string): Answers {
  try {
    return Joi.attempt(JSON.parse(text), Joi.alternatives(openCage, nominatim), {
      stripUnknown: true,
    }) as Answers;
  } catch {
    throw new OutsideTrouble('the response has neither the format of OpenCage nor that of Nominatim');
  }
}
