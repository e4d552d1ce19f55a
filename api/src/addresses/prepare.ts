import { countryName } from '../geocoder/country-name.ts';
import { isSection, listPlaces, type ListedPlace } from '../geocoder/prepare-cities.ts';
import { madeOnce, read } from '../geocoder/prepare.ts';
import { regionNames } from '../geocoder/region-names.ts';
import { packIndex, type AddressData, type Area, type Town } from './address-index.ts';
import { keyOf } from './keys.ts';
import { territories, usualNames } from './usual-names.ts';

const moduleNames = [
  'prepare.ts',
  'address-index.ts',
  'keys.ts',
  'usual-names.ts',
  '../geocoder/prepare.ts',
  '../geocoder/country-name.ts',
  '../geocoder/prepare-cities.ts',
  '../geocoder/added-places.ts',
  '../geocoder/region-names.ts',
];

/** Returns the path of the address index. Builds it from the npm packages first if it does not exist. */
export function preparedIndex(): Promise<string> {
  const modules = moduleNames.map((name) => new URL(name, import.meta.url));
  return madeOnce('addresses', modules, () => packIndex({ ...townKeys(), areaKeys: areaKeys() }));
}

/**
 * Below this population a place is found by its main name only: its other names are former ones or in other alphabets.
 */
const knownAbroadPopulation = 15_000;

function townKeys(): Omit<AddressData, 'areaKeys'> {
  const { listed, added, missing } = listPlaces(read);
  const places = [...listed, ...added, ...missing]
    .map((place) => ({ place, key: keyOf(place.name) }))
    // Towns of the same name are adjacent, so that a search reads few blocks.
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : b.place.population - a.place.population))
    .map(({ place }) => place);
  const keys = new Map<string, number[]>();
  for (const [number, place] of places.entries())
    for (const key of new Set(namesOf(place).map(keyOf))) add(keys, key, number);
  return { towns: places.map(townOf), townKeys: keys };
}

function namesOf({ name, otherNames: [ascii = name, ...others], population }: ListedPlace): string[] {
  const known = population >= knownAbroadPopulation ? others.filter(isLatinName) : [];
  return [name, ascii, ...known];
}

/** Excludes airport codes and names in other alphabets. */
function isLatinName(name: string): boolean {
  return name.length > 3 && /^[\p{Script=Latin}\p{M} .,'’‘ʻ`()/-]+$/u.test(name);
}

function townOf(place: ListedPlace): Town {
  const { name, country, region, latitude, longitude, population, code, county, kind } = place;
  const area = [region === null ? country : code, ...(region !== null && county ? [county] : [])].join('.');
  return {
    name,
    area,
    state: region,
    country: countryName(country),
    latitude: rounded(latitude),
    longitude: rounded(longitude),
    population,
    kind: kind === 'PPLC' ? 'capital' : isSection(place) ? 'section' : 'town',
  };
}

const rounded = (degrees: number) => Number(degrees.toFixed(4));

/** Languages in which staff may write the name of a country. */
const languageCodes = [
  'en',
  'es',
  'fr',
  'de',
  'it',
  'pt',
  'nl',
  'sv',
  'da',
  'nb',
  'fi',
  'pl',
  'cs',
  'hu',
  'ro',
  'tr',
  'hr',
  'is',
  'et',
  'lv',
  'lt',
  'sk',
  'sl',
  'sq',
  'id',
  'vi',
  'ca',
  'gl',
  'ga',
  'cy',
];

/** Countries whose addresses contain second-level regions. */
const withCounties = /^(?:US|GB|IE|IT|FR|ES)\./;
/** Words that GeoNames adds to the names of counties. */
const kindOfCounty =
  /^(?:County|City and County of|City of|Province of|Provincia d[ei]l?l?a?|Metropolitan City of|Città metropolitana di) | (?:County|Parish|Borough|Municipality|City)$/;

type Code = { code: string; name: string };

function areaKeys(): Map<string, Area[]> {
  const keys = new Map<string, Area[]>();
  const name = (area: Area, ...names: string[]) => {
    const [country, ...rest] = area.split('.');
    for (const key of new Set(names.map(keyOf).filter(Boolean))) {
      add(keys, key, area);
      if (rest.length === 0) for (const territory of territories[country!] ?? []) add(keys, key, territory);
    }
  };
  for (const { code, names } of countries()) name(code, ...names);
  const regions = JSON.parse(read('regions')) as Code[];
  const shortNames = regionNames(regions);
  for (const { code, name: region } of regions) {
    const [country, number] = code.split('.');
    name(code, region, shortNames.get(code) ?? region);
    // These codes are the postal abbreviations.
    if (country === 'US' || country === 'CH') name(code, number!);
  }
  for (const { code, name: county } of JSON.parse(read('counties')) as Code[]) {
    if (!withCounties.test(code)) continue;
    name(code, county, county.replace(kindOfCounty, ''));
    if (code.startsWith('IT.')) name(code, code.split('.')[2]!);
  }
  for (const [area, names] of Object.entries(usualNames)) name(area, ...names);
  return keys;
}

function add<Value>(keys: Map<string, Value[]>, key: string, value: Value): void {
  const values = keys.get(key);
  if (!values) keys.set(key, [value]);
  else if (!values.includes(value)) values.push(value);
}

type Borders = {
  features: { properties: { iso1A2?: string; iso1A3?: string; nameEn: string; aliases?: string[] } }[];
};

/** The countries and territories of ISO 3166, with their codes and their names in several languages. */
function countries(): { code: string; names: string[] }[] {
  const languages = languageCodes.map(
    (language) => new Intl.DisplayNames(language, { type: 'region', fallback: 'none' }),
  );
  return (JSON.parse(read('borders')) as Borders).features.flatMap(({ properties }) => {
    const { iso1A2: code, iso1A3, nameEn, aliases = [] } = properties;
    if (!code) return [];
    const translated = languages.flatMap((language) => language.of(code) ?? []);
    const codes = [code, iso1A3 ?? code, ...aliases.filter((alias) => !alias.includes('-'))];
    return [{ code, names: [...codes, nameEn, countryName(code), ...translated] }];
  });
}
