import KDBush from 'kdbush';
import { addedPlaces, namedSections } from './added-places.ts';
import { kilometres, nearby } from './nearby.ts';
import { regionNames } from './region-names.ts';

/** A place of the gazetteer. `country` is an ISO 3166 code, `region` the name of its first-level region. */
export type City = {
  name: string;
  country: string;
  region: string | null;
  latitude: number;
  longitude: number;
  population: number;
  /** GeoNames' feature code (https://www.geonames.org/export/codes.html); empty where the source has none. */
  kind: string;
};

type Read = (source: 'cities' | 'recent' | 'regions') => string;

/** Sections of towns, and places that no longer exist. */
const sectionKinds = new Set(['PPLX', 'PPLQ', 'PPLH', 'PPLW', 'PPLCH']);

/** Entries that are not towns: districts of Kochi and Vancouver, and the historical name of the centre of Hong Kong. */
const noTowns = new Set(['IN Kanayannur', 'CA West End', 'HK Victoria']);

/** A place as listed in the tables, with everything that an address may contain. */
export type ListedPlace = City & {
  /** The current code of its first-level region, such as `US.CA`. */
  code: string;
  /** The code of its second-level region within `code`. Empty if the source has none. */
  county: string;
  /** Its ASCII name, then its names in other languages and former names. */
  otherNames: string[];
};

/**
 * Returns all places with their current names and regions: from the older table, only in the recent table, and added by
 * us.
 */
export function listPlaces(read: Read): Record<'listed' | 'added' | 'missing', ListedPlace[]> {
  const names = regionNames(JSON.parse(read('regions')) as { code: string; name: string }[]);
  const recent = (JSON.parse(read('recent')) as RecentRow[]).map(recentPlace);
  const listed = read('cities')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((row) => row.length > 1)
    .map(listedPlace);
  const present = presentCodes(recent, listed);
  const recentName = new Map(recent.map((place) => [place.point, place.name]));
  const cities = listed.map((place) => {
    const name = betterName(place.name, recentName.get(place.point));
    const code = present(place);
    return { ...place, name, code, region: names.get(code) ?? null };
  });
  const points = new Set(listed.map(({ point }) => point));
  const added = recent
    .filter((place) => !points.has(place.point))
    .map((place) => ({ ...place, region: names.get(place.code) ?? null }));
  const missing = addedPlaces.map(([name, country, region, latitude, longitude, population]) => {
    const code = `${country}.${region}`;
    const place = {
      name,
      country,
      latitude,
      longitude,
      population,
      kind: '',
      code,
      county: '',
      otherNames: [],
    };
    return { ...place, region: names.get(code) ?? null };
  });
  return { listed: cities, added, missing };
}

/** The places that can name a point. */
export function readCities(read: Read): City[] {
  const { listed, added, missing } = listPlaces(read);
  const towns = independent(listed.filter(isTown));
  const sections = listed.filter((city) => isSection(city) && !isTown(city));
  return [...towns, ...apart([...sections, ...added], towns), ...missing];
}

/** Whether a place is a section of a town, or no longer exists. */
export function isSection({ kind }: City): boolean {
  return sectionKinds.has(kind);
}

/** A place before the name of its region is known. */
type Coded = Omit<ListedPlace, 'region'> & { point: string };

type RecentRow = { name: string; lat: string; lng: string; country: string; admin1: string; admin2: string };

function recentPlace({ name, lat, lng, country, admin1, admin2 }: RecentRow): Coded {
  const [latitude, longitude] = [Number(lat), Number(lng)];
  const place = { name, country: countryOf(country, latitude), latitude, longitude, population: 0, kind: '' };
  return { ...place, code: `${country}.${admin1}`, county: admin2, otherNames: [], point: pointOf(place) };
}

/**
 * Western Sahara lies south of this parallel. ISO 3166 treats it as a territory; the sources disagree on which of its
 * places and how much of its area belong to Morocco.
 */
export const westernSaharaNorth = 27 + 2 / 3;

function countryOf(code: string, latitude: number): string {
  return code === 'MA' && latitude < westernSaharaNorth ? 'EH' : code;
}

/** The columns of GeoNames' tables (https://download.geonames.org/export/dump/readme.txt). */
const column = {
  name: 1,
  ascii: 2,
  others: 3,
  latitude: 4,
  longitude: 5,
  kind: 7,
  country: 8,
  region: 10,
  county: 11,
  population: 14,
};

function listedPlace(row: string[]): Coded {
  const latitude = Number(row[column.latitude]);
  const place = {
    name: row[column.name]!,
    country: countryOf(row[column.country]!, latitude),
    latitude,
    longitude: Number(row[column.longitude]),
    population: Number(row[column.population]),
    kind: row[column.kind]!,
    county: row[column.county]!,
    otherNames: [row[column.ascii]!, ...row[column.others]!.split(',').filter(Boolean)],
  };
  return { ...place, code: `${row[column.country]}.${row[column.region]}`, point: pointOf(place) };
}

function isTown({ name, country, kind }: City): boolean {
  const key = `${country} ${name}`;
  return namedSections.has(key) || (!sectionKinds.has(kind) && !noTowns.has(key));
}

/**
 * Prefers the recent name, which is more often English, unless it has non-ASCII letters and the earlier one has none.
 */
function betterName(earlier: string, recent = earlier): string {
  const isAscii = (name: string) => /^[ -~]*$/.test(name);
  return isAscii(earlier) && !isAscii(recent) ? earlier : recent;
}

/** The key that matches rows of the two tables. Both have coordinates to a hundred-thousandth of a degree. */
function pointOf({ country, latitude, longitude }: Pick<City, 'country' | 'latitude' | 'longitude'>): string {
  return `${country} ${latitude} ${longitude}`;
}

/**
 * A place is part of a city if its distance is below this ratio of the city's reach and the city is this many times
 * larger.
 */
const enclosed = { proportion: 0.4, times: 5 };

/** Removes boroughs of large cities that the gazetteer lists as towns (Islington). Keeps capitals. */
function independent(towns: City[]): City[] {
  const { indexes, cities } = indexCities(towns.filter(({ population }) => population >= largePopulation));
  const reachOf = Uint16Array.from(cities, reach);
  const { foremost } = nearby({ indexes, reachOf });
  return towns.filter((town) => {
    if (leastReach[town.kind] !== undefined) return true;
    const around = foremost(town, 15, (place) => {
      const { country, region, population } = cities[place]!;
      return (
        country === town.country && region === town.region && population >= enclosed.times * town.population
      );
    });
    if (around === undefined) return true;
    return kilometres(town, cities[around]!) * 1000 >= enclosed.proportion * reachOf[around]!;
  });
}

/** A place is not part of a town if its distance is this many times the town's reach. */
const apartFactor = 3;

/**
 * Returns the candidates that lie apart from every town (Westerland). Candidates are sections of towns, and places that
 * only the recent table has, because that table does not mark sections.
 */
function apart(candidates: City[], towns: City[]): City[] {
  const { indexes, cities } = indexCities(towns);
  const reachOf = Uint16Array.from(cities, reach);
  const { foremost } = nearby({ indexes, reachOf });
  return candidates.filter((city) => {
    const town = foremost(city, 50, (place) => cities[place]!.country === city.country);
    return town === undefined || kilometres(city, cities[town]!) * 1000 > apartFactor * reachOf[town]!;
  });
}

/**
 * Returns the current region code of each place. Regions are merged and split, and their codes are reused (Vietnam). A
 * place gets the code that the recent table has at its point. If the table has no such place, it gets the code of at
 * least nine in ten of the places that shared its old code. If that region was split, it gets the code of the nearest
 * place.
 */
function presentCodes(recent: Coded[], listed: Coded[]): (place: Coded) => string {
  const codeAt = new Map(recent.map((place) => [place.point, place.code]));
  const now = (place: Coded) => codeAt.get(place.point);
  const known = listed.filter((place) => now(place) !== undefined);
  const successor = new Map(
    [...Map.groupBy(known, ({ code }) => code)].flatMap(([code, members]) => {
      const groups = [...Map.groupBy(members, now)].toSorted(([, a], [, b]) => b.length - a.length);
      const [present, most] = groups[0]!;
      return most.length >= 0.9 * members.length ? [[code, present!]] : [];
    }),
  );
  const { indexes, cities: ordered } = indexCities(recent);
  const { nearest } = nearby({ indexes, reachOf: new Uint16Array(ordered.length) });
  const neighbour = (place: Coded) =>
    nearest(place, 100, (number) => ordered[number]!.country === place.country)?.place;
  return (place) =>
    now(place) ?? successor.get(place.code) ?? ordered[neighbour(place) ?? -1]?.code ?? place.code;
}

/** The minimum reach of capitals of countries and of first-level regions, in metres. */
const leastReach: Record<string, number> = { PPLC: 2000, PPLA: 1000 };

/**
 * Returns the reach of a place in metres. A point is named by the place with the smallest ratio of distance to reach.
 * Without the reach, a suburb or village would name most points of a large city.
 *
 * Measured with landmarks.tsv and a second table, 450 points with a town in all: 431 correct. Factors from 4 to 10
 * differ by one point; an exponent of 0.4 or 0.6 is worse by up to ten. Distance minus reach (428), the difference of
 * the squares (422), and two-stage rules that prefer towns whose reach covers the point (430) are worse, too.
 */
export function reach({ population, kind }: City): number {
  return Math.max(leastReach[kind] ?? 500, Math.round(6 * Math.sqrt(population)));
}

/** The minimum population of each class of places. A search covers a larger area for the classes of larger places. */
const largePopulation = 250_000;
const classes = [0, 30_000, largePopulation];

type Indexed = { latitude: number; longitude: number; population: number };

/**
 * Returns one index per class, and the cities in the order of the indexes: they compress better and need no numbers.
 */
export function indexCities<Kind extends Indexed>(all: Kind[]): { indexes: KDBush[]; cities: Kind[] } {
  const classOf = ({ population }: Kind) => classes.findLastIndex((least) => population >= least);
  const cities: Kind[] = [];
  const indexes = classes
    .map((_, number) => {
      const members = all.filter((city) => classOf(city) === number);
      const index = new KDBush(members.length, 64, Float32Array);
      for (const { longitude, latitude } of members) index.add(longitude, latitude);
      index.finish();
      for (const id of index.ids) cities.push(members[id]!);
      index.ids.forEach((_id, position) => (index.ids[position] = position));
      return index;
    })
    .filter(({ numItems }) => numItems > 0);
  return { indexes, cities };
}
