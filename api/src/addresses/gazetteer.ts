import { unprocessable } from '../errors.ts';
import { pointOf, type Places, type Region } from '../geocoder/places.ts';
import { notThere, type FindAddress, type Found } from './find.ts';
import { states } from './states.ts';

/** Places of one name within so many degrees of one another are one place and its districts. */
const NEAR = 0.3;

const others: Record<string, string> = {
  usa: 'United States of America',
  us: 'United States of America',
  'united states': 'United States of America',
  uk: 'United Kingdom',
  'great britain': 'United Kingdom',
  england: 'United Kingdom',
  scotland: 'United Kingdom',
  wales: 'United Kingdom',
};

/** Compares names without regard to capitals and accents. */
const { compare } = new Intl.Collator('en', { sensitivity: 'base' });

/**
 * Finds addresses among the names of places alone, so that nothing leaves the machine: a town, then its US state (or its abbreviation) or its country,
 * separated by commas. What comes before the town, such as a street, is left out of account, and so are postcodes.
 * A name that several places have is not guessed at.
 */
export function createGazetteer(places: Places): FindAddress {
  const regionsNamed = (text: string): ReadonlySet<number> => {
    const key = text.toLowerCase().replaceAll('.', '');
    const name = states[key] ?? others[key] ?? text;
    const numbers = [...places.regions.keys()].filter((number) => {
      const { country, state } = places.regions[number]!;
      // Georgia is both.
      return compare(country, name) === 0 || (state !== null && compare(state, name) === 0);
    });
    return new Set(numbers);
  };

  return async (address) => {
    const parts = address.split(',').map(withoutPostcode).filter(Boolean);
    let town = parts.pop() ?? '';
    const within: ReadonlySet<number>[] = [];
    for (let region = regionsNamed(town); region.size > 0 && parts.length > 0; region = regionsNamed(town)) {
      within.push(region);
      town = parts.pop()!;
    }
    const named = (name: string) =>
      [...places.names.keys()].filter(
        (item) =>
          // First what costs least: there are 171,075 names.
          within.every((region) => region.has(places.regionOf[item]!)) &&
          compare(places.names[item]!, name) === 0,
      );
    // GeoNames calls it New York City.
    const items = town && [named(town), named(`${town} City`)].find(({ length }) => length > 0);
    if (!items) throw notThere();
    // The largest one represents a place and its districts.
    const largestFirst = items.toSorted((a, b) => places.reachOf[b]! - places.reachOf[a]!);
    return onlyOne(largestFirst.map((item) => foundAt(places, item)));
  };
}

function onlyOne(all: Found[]): Found {
  const [first] = all as [Found];
  const isNear = ({ lat, long }: Found) =>
    Math.abs(lat - first.lat) < NEAR && Math.abs(long - first.long) < NEAR;
  if (all.every(isNear)) return first;
  const names = [...new Set(all.map(({ name }) => name))];
  if (names.length === 1) {
    throw unprocessable(
      `There are several places that are called ${first.name}: please give the point instead.`,
    );
  }
  const some = names.slice(0, 3).join('; ');
  throw unprocessable(`There are several places of this name: please write which, as in "${some}".`);
}

function foundAt(places: Places, item: number): Found {
  const { state, country } = places.regions[places.regionOf[item]!] as Region;
  const { latitude, longitude } = pointOf(places, item);
  const degrees = (value: number) => Number(value.toFixed(4));
  const name = [places.names[item], state, country].filter(Boolean).join(', ');
  return { lat: degrees(latitude), long: degrees(longitude), name };
}

function withoutPostcode(part: string): string {
  return part
    .trim()
    .split(/\s+/)
    .filter((word) => !/^\d{4,}(-\d+)?$/.test(word))
    .join(' ');
}
