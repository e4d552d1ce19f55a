import { unprocessable } from '../http/errors.ts';

/** The coordinates of an address in degrees, and the name of the place that it was resolved to. */
export type Found = { lat: number; long: number; name: string };

/**
 * Geocodes an address that staff type. Throws 422 if it matches no place or several, and 503 if the geocoder is
 * unavailable.
 */
export type FindAddress = (address: string) => Promise<Found>;

export const notThere = () =>
  unprocessable('This address is not found: please write it as in "Laguna Beach, CA" or "Paris, France".');
