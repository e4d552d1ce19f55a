import { countryName, countryNames } from '../geocoder/country-name.ts';
import { withIndex } from './address-index.ts';
import { keyOf } from './keys.ts';
import { TERRITORIES } from './usual-names.ts';

/** Returns the names that pins have for the countries that `written` may mean: none if it is not known as a country. */
export type FindCountries = (written: string) => Promise<string[]>;

/** Finds countries by ISO 3166 code, and by their usual names in several languages. `load` returns the file of the index. */
export function createCountryFinder(load: () => Promise<string>): FindCountries {
  // Most names are right already. In a source tree it takes seconds to make the index.
  const found = new Map(Array.from(countryNames(), (name) => [name, [name]]));
  const find = async (written: string): Promise<string[]> => {
    const areas = withIndex(await load(), (index) => index.areas(keyOf(written)));
    const codes = areas.filter((area) => /^[A-Z]{2}$/.test(area));
    const own = codes.filter((code) => !codes.some((other) => TERRITORIES[other]?.includes(code)));
    return [...new Set(own.map(countryName))];
  };
  return async (written) => {
    const names = found.get(written) ?? (await find(written));
    found.set(written, names);
    return names;
  };
}
