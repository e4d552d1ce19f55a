import { unprocessable } from '../errors.ts';

/** Where an address is, in degrees, and what it was taken for. */
export type Found = { lat: number; long: number; name: string };

/** Finds what the staff type. Throws 422 if nothing is found, or more than one place, and 503 if nobody can be asked at the moment. */
export type FindAddress = (address: string) => Promise<Found>;

export const notThere = () =>
  unprocessable('This address is not found: please write it as in "Laguna Beach, CA" or "Paris, France".');
