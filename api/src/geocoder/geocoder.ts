import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { around } from 'geokdbush';
import { outlines } from './outlines.ts';
import { type Places, unpackPlaces } from './places.ts';

/** A named place on land; `city` and `state` are null where there is none to name. Only the USA has states. */
export type Place = { city: string | null; state: string | null; country: string };

/** Names places from data that lies beside the program; nothing leaves the machine. */
export type Geocoder = {
  /** The place at a point in degrees, or null in water and wherever else no country is. */
  locate(latitude: number, longitude: number): Place | null;
};

/** The outlines are no more exact than this, so a place nearer says more than they do (Vatican City). */
const LINE_KM = 0.4;
/** A place this near counts where no outline does: piers, islets, rough coasts. */
const COAST_KM = 5;
/** A place further away doesn't name a point any more. */
const CITY_KM = 50;

/**
 * Reads the prepared data: from beside the program in a release, from the npm packages in a source tree.
 * Takes some tens of milliseconds, so once a process.
 */
export async function loadPlaces(): Promise<Places> {
  const shipped = fileURLToPath(new URL('./data/places.bin', import.meta.url));
  const file = existsSync(shipped) ? shipped : await (await import('./prepare.ts')).preparedFile();
  return unpackPlaces(await readFile(file));
}

/**
 * Names a point by the country or US state whose outline it lies in, and by the nearest place of that country or
 * state. Places are GeoNames' (which has districts of large cities too), outlines Natural Earth's and the US
 * Census Bureau's.
 *
 * Known misses: lakes abroad count as land, as do Lake Tahoe and the Salton Sea; within some 400 m of a border
 * a point may come out on its other side.
 */
export function createGeocoder({ regions, rings, index, names, regionOf }: Places): Geocoder {
  const lines = outlines(rings);
  const usa = regions.find(({ state }) => state !== null)?.country;

  function regionAt(latitude: number, longitude: number): number | undefined {
    return lines
      .at(latitude, longitude)
      .toSorted((a, b) => a - b) // states come before countries
      .find((number) => regions[number]!.country !== usa || regions[number]!.state !== null);
  }

  return {
    locate(latitude, degreesEast) {
      // The outlines run from -180 to 180 degrees, and only their western ends belong to them.
      const longitude = degreesEast === 180 ? -180 : degreesEast;
      const nearest = (km: number, filter?: (item: number) => boolean) =>
        around(index, longitude, latitude, 1, km, filter)[0];

      let city = nearest(LINE_KM);
      // The USA without a state is one of the Great Lakes: its outline takes them in, its states' don't.
      const region = city === undefined ? regionAt(latitude, longitude) : regionOf[city];
      city ??=
        region === undefined ? nearest(COAST_KM) : nearest(CITY_KM, (item) => regionOf[item] === region);

      if (city !== undefined) return { city: names[city]!, ...regions[regionOf[city]!]! };
      return region === undefined ? null : { city: null, ...regions[region]! };
    },
  };
}
