import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { outlines } from './outlines.ts';
import { lakeRegion, landRegion, type Ring, unitsPerDegree } from './places.ts';
import { type City, westernSaharaNorth } from './prepare-cities.ts';

/** An outer ring and its holes, in GeoJSON order. */
type Polygon = number[][][];
type Shape = { id: string | undefined; name: string; polygons: Polygon[] };

const halfTurn = 180 * unitsPerDegree;

/** The outlines of the fifty US states and the District of Columbia. The territories have their own country codes. */
export function stateRings(source: string, numberOf: (state: string) => number): Ring[] {
  return shapes(source, 'states')
    .filter(({ id }) => Number(id) < 60)
    .flatMap(({ name, polygons }) => polygons.flatMap((polygon) => toRings(polygon, numberOf(name))));
}

/**
 * The land of the world including its lakes, and the land of the United States without the Great Lakes, which has more
 * islands.
 */
export function landRings(world: string, us: string): Ring[] {
  const ringsOf = (source: string, layer: string, region: number) =>
    shapes(source, layer).flatMap(({ polygons }) => polygons.flatMap((polygon) => toRings(polygon, region)));
  return [...ringsOf(world, 'land', landRegion.world), ...ringsOf(us, 'nation', landRegion.us)];
}

export function lakeRings(source: string): Ring[] {
  return shapes(source, 'lakes').flatMap(({ polygons }) =>
    polygons.flatMap((polygon) =>
      toRings(polygon, isGreatLake(polygon) ? lakeRegion.great : lakeRegion.other),
    ),
  );
}

/**
 * Whether a lake in the bounding box of the Great Lakes is at least as large as Lake Ontario. The other lakes there are
 * much smaller.
 */
function isGreatLake([outer]: Polygon): boolean {
  const longitudes = outer!.map(([longitude]) => longitude!);
  const latitudes = outer!.map(([, latitude]) => latitude!);
  const [west, east] = [Math.min(...longitudes), Math.max(...longitudes)];
  const [south, north] = [Math.min(...latitudes), Math.max(...latitudes)];
  return west > -93 && east < -75 && south > 41 && north < 50 && (east - west) * (north - south) > 2;
}

/** See https://github.com/rapideditor/country-coder#borders for the properties. */
type BorderFeature = {
  properties: { iso1A2?: string; isoStatus?: string; country?: string; groups?: string[] };
  geometry: { coordinates: Polygon[] } | null;
};

/**
 * The outlines of countries and territories, by ISO 3166 code. A polygon that contains no place of its own country
 * belongs to the country of most GeoNames places in it (Crimea, Northern Cyprus).
 */
export function borderRings(source: string, cities: City[], numberOf: (country: string) => number): Ring[] {
  const { features } = JSON.parse(source) as { features: BorderFeature[] };
  const codes = new Set(features.flatMap(({ properties }) => codeOf(properties) ?? []));
  const parts = features.flatMap(({ properties, geometry }) => {
    const group = properties.groups?.find((code) => codes.has(code));
    const own = codeOf(properties) ?? group ?? properties.country;
    return (geometry?.coordinates ?? []).flatMap((polygon) => divided(polygon, own));
  });
  const lines = outlines(parts.flatMap(({ polygon }, part) => polygon.map((line) => toRing(line, part))));
  const counts = parts.map(() => new Map<string, number>());
  for (const { latitude, longitude, country } of cities) {
    for (const part of lines.at(latitude, longitude)) {
      counts[part]!.set(country, (counts[part]!.get(country) ?? 0) + 1);
    }
  }
  return parts.flatMap(({ polygon, own }, part) => {
    const found = counts[part]!;
    const [most] = [...found].toSorted(([, a], [, b]) => b - a);
    const country = own && found.has(own) ? own : (most?.[0] ?? own);
    return country ? polygon.map((line) => toRing(line, numberOf(country))) : [];
  });
}

/**
 * Returns the official code. Reserved codes stand for parts of countries that GeoNames has no codes for (Canary
 * Islands).
 */
function codeOf({ iso1A2, isoStatus }: BorderFeature['properties']): string | undefined {
  return isoStatus === 'excRes' ? undefined : iso1A2;
}

/** Splits the polygon of Morocco at the parallel, because the source includes most of Western Sahara in it. */
function divided(polygon: Polygon, own: string | undefined): { polygon: Polygon; own: string | undefined }[] {
  if (own !== 'MA') return [{ polygon, own }];
  const part = (side: 1 | -1) => polygon.map((line) => cut(line, side)).filter((line) => line.length > 3);
  return [
    { polygon: part(1), own },
    { polygon: part(-1), own: 'EH' },
  ].filter(({ polygon: lines }) => lines.length > 0);
}

/**
 * Returns the part of a closed line north (1) or south (-1) of the parallel, closed along it (Sutherland–Hodgman
 * algorithm).
 */
function cut(line: number[][], side: 1 | -1): number[][] {
  const isIn = ([, latitude]: number[]) => (latitude! - westernSaharaNorth) * side >= 0;
  const kept = line.slice(1).flatMap((to, i) => {
    const from = line[i]!;
    const share = (westernSaharaNorth - from[1]!) / (to[1]! - from[1]!);
    const crossing = [from[0]! + share * (to[0]! - from[0]!), westernSaharaNorth];
    return [...(isIn(from) === isIn(to) ? [] : [crossing]), ...(isIn(to) ? [to] : [])];
  });
  return kept.length > 0 ? [...kept, kept[0]!] : [];
}

function shapes(source: string, layer: string): Shape[] {
  const topology = JSON.parse(source) as Topology;
  const { features } = feature(topology, topology.objects[layer] as GeometryCollection<{ name: string }>);
  return features.flatMap(({ id, properties, geometry }) => {
    const shape = { id: id as string | undefined, name: properties?.name };
    if (geometry.type === 'Polygon') return [{ ...shape, polygons: [geometry.coordinates] }];
    if (geometry.type === 'MultiPolygon') return [{ ...shape, polygons: geometry.coordinates }];
    throw new Error(`The layer ${layer} has a ${geometry.type}, but only polygons are expected.`);
  });
}

/** Converts a line that stays between -180 and 180 degrees. The borders of Russia stop short of the 180th meridian. */
function toRing(line: number[][], region: number): Ring {
  const toMeridian = (degrees: number) => (Math.abs(degrees) > 179.9 ? Math.sign(degrees) * 180 : degrees);
  return {
    region,
    x: Int32Array.from(line, ([longitude]) => Math.round(toMeridian(longitude!) * unitsPerDegree)),
    y: Int32Array.from(line, ([, latitude]) => Math.round(latitude! * unitsPerDegree)),
  };
}

/** Converts the lines of a polygon that may cross the 180th meridian. */
function toRings(polygon: Polygon, region: number): Ring[] {
  return polygon.flatMap((line) => {
    const x = unwrapped(line.map(([longitude]) => Math.round(longitude! * unitsPerDegree)));
    const y = line.map(([, latitude]) => Math.round(latitude! * unitsPerDegree));
    if (x[0] !== x.at(-1)) {
      // Around a pole: Antarctica's line is closed along the edge of the map.
      const pole = y[0]! < 0 ? -90 * unitsPerDegree : 90 * unitsPerDegree;
      x.push(x.at(-1)!, x[0]!, x[0]!);
      y.push(pole, pole, y[0]!);
    }
    // The part beyond one edge of the map is repeated at the other edge.
    const shifts = [0];
    if (x.some((value) => value > halfTurn)) shifts.push(-2 * halfTurn);
    if (x.some((value) => value < -halfTurn)) shifts.push(2 * halfTurn);
    return shifts.map((shift) => ({
      region,
      x: Int32Array.from(x, (value) => value + shift),
      y: Int32Array.from(y),
    }));
  });
}

/** Removes the jumps in longitude where a line crosses the 180th meridian (Russia, Fiji, Alaska). */
function unwrapped(x: number[]): number[] {
  let shift = 0;
  return x.map((value, i) => {
    const step = i ? value - x[i - 1]! : 0;
    if (Math.abs(step) > halfTurn) shift -= Math.sign(step) * 2 * halfTurn;
    return value + shift;
  });
}
