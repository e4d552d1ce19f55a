import { countryName, countryNames } from '../geocoder/country-name.ts';
import { withIndex } from './address-index.ts';
import { keyOf } from './keys.ts';
import { territories } from './usual-names.ts';

/** Returns the stored names of the countries that `written` may mean. Empty if it is not a known country. */
export type FindCountries = (written: string) => Promise<string[]>;

/** Finds countries by ISO 3166 code, and by common names in several languages. `load` returns the path of the index. */
export function createCountryFinder(load: () => Promise<string>): FindCountries {
  // Most names are correct already, and in a source tree building the index takes seconds.
  const found = new Map(Array.from(countryNames(), (name) => [name, [name]]));
  const find = async (written: string): Promise<string[]> => {
    const areas = withIndex(await load(), (index) => index.areas(keyOf(written)));
    const codes = areas.filter((area) => /^[A-Z]{2}$/.test(area));
    const own = codes.filter((code) => !codes.some((other) => territories[other]?.includes(code)));
    return [...new Set(own.map(countryName))];
  };
  return async (written) => {
    const names = found.get(written) ?? (await find(written));
    found.set(written, names);
    return names;
  };
}
