import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { nearby } from './nearby.ts';
import { outlines } from './outlines.ts';
import { lakeRegion, landRegion, type Places, unpackPlaces } from './places.ts';

/**
 * A named place on land. `state` is the first-level region of the country. `city` and `state` are null where the data
 * has none.
 */
export type Place = { city: string | null; state: string | null; country: string };

/** Names places from data shipped with the program. Makes no network requests. */
export type Geocoder = {
  /** Returns the place at a point in degrees, or null in water. Longitudes outside -180 to 180 are wrapped. */
  locate(latitude: number, longitude: number): Place | null;
};

/** A point within this distance of a coast or lake shore counts as land, because of piers and coarse outlines. */
const coastKm = 1.5;
/** A point within this distance of a place counts as land, because the outlines lack small islets. */
const isletKm = 5;
/** A place outside the outline of its own country determines the country of points within this distance. */
const strayKm = 0.4;
/** A place further away than this does not name a point. */
const cityKm = 50;
/** A place further away than this does not determine the region of a point. */
const regionKm = 500;

/**
 * Reads the prepared data: shipped with a release, or built from the npm packages in a source tree. Takes tens of
 * milliseconds, so call it once per process.
 */
export async function loadPlaces(): Promise<Places> {
  const shipped = fileURLToPath(new URL('./data/places.bin', import.meta.url));
  const file = existsSync(shipped) ? shipped : await (await import('./prepare.ts')).preparedFile();
  return unpackPlaces(await readFile(file));
}

/** Returns the same longitude, wrapped to the range from -180 (inclusive) to 180 (exclusive). */
export function wrapped(longitude: number): number {
  if (longitude >= -180 && longitude < 180) return longitude;
  return ((((longitude + 180) % 360) + 360) % 360) - 180;
}

/**
 * Names a point in three steps:
 *
 * 1. The country is the one whose borders or territorial waters contain the point.
 * 2. The region is the US state whose outline contains the point. Elsewhere, and off the coast of a state, it is the
 * region of the nearest place in the country.
 * 3. The city is the place of that region with the smallest ratio of distance to reach. `reachOf` in prepare.ts
 * explains the rule and its measured results.
 *
 * prepare.ts lists the sources of the data.
 */
export function createGeocoder(places: Places): Geocoder {
  const { regions, regionOf, names } = places;
  const borders = outlines(places.outlines.borders);
  const states = outlines(places.outlines.states);
  const land = outlines(places.outlines.land);
  const lakes = outlines(places.outlines.lakes);
  const { nearest, foremost } = nearby(places);
  const strays = new Set(places.strays);
  const countryOf = countries(places);

  function isLand(latitude: number, longitude: number): boolean {
    const shores = land.at(latitude, longitude);
    const [lake] = shores.length > 0 ? lakes.at(latitude, longitude) : [];
    const isLake = lake !== undefined && !(lake === lakeRegion.great && shores.includes(landRegion.us));
    if (shores.length > 0 && !isLake) return true;
    return (
      land.nearest(coastKm, latitude, longitude) !== undefined ||
      lakes.nearest(coastKm, latitude, longitude) !== undefined ||
      (!isLake && nearest({ latitude, longitude }, isletKm) !== undefined)
    );
  }

  /** Returns the number of the region at a point, or the number of the country if the region is unknown. */
  function regionAt(latitude: number, longitude: number): number | undefined {
    const stray = nearest({ latitude, longitude }, strayKm);
    if (stray && strays.has(stray.place)) return regionOf[stray.place];
    const [country] = borders.at(latitude, longitude);
    if (country === undefined) return undefined;
    const state = states.at(latitude, longitude)[0] ?? states.nearest(coastKm, latitude, longitude);
    if (state !== undefined && countryOf[state] === country) return state;
    const near = nearest(
      { latitude, longitude },
      regionKm,
      (place) => countryOf[regionOf[place]!] === country,
    );
    return near ? regionOf[near.place] : country;
  }

  return {
    locate(latitude, degreesEast) {
      const longitude = wrapped(degreesEast);
      if (!isLand(latitude, longitude)) return null;
      const region = regionAt(latitude, longitude);
      if (region === undefined) return null;
      const country = countryOf[region];
      const city = foremost({ latitude, longitude }, cityKm, (place) => {
        // A place without a region may be in any region of its country (Hong Kong).
        return regionOf[place] === region || regionOf[place] === country;
      });
      return { city: city === undefined ? null : names[city]!, ...regions[region]! };
    },
  };
}

/** Returns, for each region, the number of its country. */
function countries({ regions }: Places): Uint16Array {
  const numbers = new Map<string, number>();
  for (const [number, { country, state }] of regions.entries())
    if (state === null) numbers.set(country, number);
  return Uint16Array.from(regions, ({ country }) => numbers.get(country)!);
}
