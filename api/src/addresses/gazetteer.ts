import { unprocessable } from '../http/errors.ts';
import { kilometres } from '../geocoder/nearby.ts';
import { withIndex, type AddressIndex, type Area, type Town } from './address-index.ts';
import { notThere, type FindAddress, type Found } from './find.ts';
import { keyOf } from './keys.ts';
import { partsOf, type Part } from './parts.ts';

/** Places of the same name within this distance of each other are one place and its districts. */
const sameKm = 30;
/**
 * A place within this distance of the town that follows it in an address, and in the same county, is part of that town:
 * "La Jolla, San Diego".
 */
const partKm = 50;
/** The same for a place in another county: "Brooklyn, New York". */
const besideKm = 12;
/** The most words in the name of an area: "Saint Vincent and the Grenadines". */
const areaWords = 6;
/**
 * A street or building may share its name with a smaller place elsewhere. Places below this population do not make an
 * address ambiguous.
 */
const wellKnownPopulation = 15_000;
const metropolisPopulation = 1_000_000;

/**
 * The largest of several places is chosen if its population is `inArea` times that of every other one (`capital` times
 * for a capital). If the address names no area, `anywhere` and `people` apply instead: the ratio and the minimum.
 */
const largest = { inArea: 10, anywhere: 20, people: 500_000, capital: 2 };
/** Places without a population in the data have at most this many inhabitants. */
const villagePopulation = 500;

/**
 * A town; whether the name that was looked up is its main name or an alternative; and whether the address names an area
 * that contains it.
 */
type Match = Town & { isOwnName: boolean; hasArea: boolean };

/** The areas that an address names, with the possible meanings of each name. A town must lie in one area of each. */
type Within = readonly (readonly Area[])[];

/**
 * Finds addresses by the names of towns and areas alone, without network requests. An address is read from its end:
 * countries, states and counties, by name or code, then the town. Streets and postcodes are ignored. The town is the
 * last part that is a place within the areas that follow it. An address that matches several places is refused with the
 * candidates, unless one of them is by far the largest.
 */
export function createGazetteer(load: () => Promise<string>): FindAddress {
  return async (address) => {
    const file = await load();
    return withIndex(file, (index) => {
      const matches = search(index, partsOf(address), []);
      if (!matches) throw notThere();
      return foundAt(onlyOne(matches));
    });
  };
}

/** Returns the towns that the parts of an address may mean, within the areas that followed them. */
function search(index: AddressIndex, parts: Part[], within: Within): Match[] | undefined {
  const [last, before] = [parts.at(-1), parts.slice(0, -1)];
  if (!last) return undefined;
  const { words, hasNumber } = last;
  const areas = areasNamed(index, words, within);
  const inArea = searchIn(index, before, within, areas);
  if (inArea) return inArea;
  const towns = inside(townsNamed(index, words, within), areas, within);
  if (towns.length > 0) return narrowed(index, before, towns, within);
  for (let length = Math.min(areaWords, words.length - 1); length > 0; length--) {
    const ending = areasNamed(index, words.slice(-length), within);
    const head = { words: words.slice(0, -length), hasNumber };
    const found = searchIn(index, [...before, head], within, ending);
    if (found) return found;
  }
  return hasNumber && within.length > 0 ? afterStreet(index, words, within) : undefined;
}

/**
 * Postal codes of US states are also country codes: "CA" means California, unless the place in Canada is far larger.
 */
function searchIn(index: AddressIndex, parts: Part[], within: Within, areas: Area[]): Match[] | undefined {
  if (parts.length === 0 || areas.length === 0) return undefined;
  const states = areas.filter((area) => /^US\.[A-Z]{2}$/.test(area));
  const found = search(index, parts, [...within, areas]);
  if (!found || states.length === 0 || states.length === areas.length) return found;
  const inStates = found.filter((town) => states.some((state) => isIn(town.area, state)));
  return isLargest(inStates, found) ? inStates : found;
}

function isLargest(some: Match[], all: Match[]): boolean {
  const most = (towns: Match[]) => Math.max(...towns.map(({ population }) => population), 0);
  return some.length > 0 && most(all) < largest.inArea * most(some);
}

/** Returns the town at the end of a part that begins with a street: "20612 Laguna Canyon Rd Laguna Beach". */
function afterStreet(index: AddressIndex, words: string[], within: Within): Match[] | undefined {
  for (let start = 1; start < words.length; start++) {
    const towns = townsNamed(index, words.slice(start), within);
    if (towns.length > 0) return towns;
  }
  return undefined;
}

/**
 * If the name is also that of a state or country ("New York", "Georgia"), returns towns only if one inside that area
 * has the name. Cities with at least `metropolisPopulation` inhabitants are exempt, because the data has the wrong
 * region for some.
 */
function inside(towns: Match[], areas: Area[], within: Within): Match[] {
  const large = areas.filter(
    (area) => area.split('.').length < 3 && within.every((each) => each.some((outer) => isIn(area, outer))),
  );
  if (large.length === 0) return towns;
  const isTown = towns.some(
    ({ area: place, isOwnName, population }) =>
      large.some((area) => isIn(place, area) && (area.includes('.') || isOwnName)) ||
      (isOwnName && population >= metropolisPopulation),
  );
  return isTown ? towns : [];
}

/**
 * Resolves parts before the town that are places, too. A part of the town is where the address is. A place elsewhere
 * makes the address ambiguous: the later part does not override the earlier one.
 */
function narrowed(index: AddressIndex, before: Part[], towns: Match[], within: Within): Match[] {
  let narrow = towns;
  for (const { words, hasNumber } of before.toReversed()) {
    if (hasNumber) continue;
    const known = townsNamed(index, words, []);
    const parts = known.filter(
      (place) => isWithin(place, within) && narrow.some((town) => isPartOf(place, town)),
    );
    const others = known.filter(
      (place) =>
        place.isOwnName &&
        ((within.length > 0 && isWithin(place, within)) || place.population >= wellKnownPopulation),
    );
    if (parts.length > 0) narrow = parts;
    else if (others.length > 0) throw ambiguous([...others, ...narrow]);
  }
  return narrow;
}

function isPartOf(place: Town, town: Town): boolean {
  const km = kilometres(place, town);
  return km <= besideKm || (place.area === town.area && km <= partKm);
}

function areasNamed(index: AddressIndex, words: string[], within: Within): Area[] {
  const areas = index.areas(words.join(' '));
  // "CA" is a state in "CA, USA", but not in "CA, France".
  return areas.filter((area) =>
    within.every((each) => each.some((outer) => isIn(area, outer) || isIn(outer, area))),
  );
}

function townsNamed(index: AddressIndex, words: string[], within: Within): Match[] {
  const key = words.join(' ');
  return index
    .towns(key)
    .filter((town) => isWithin(town, within))
    .map((town) => ({ ...town, isOwnName: keyOf(town.name) === key, hasArea: within.length > 0 }));
}

function isWithin({ area }: Town, within: Within): boolean {
  return within.every((each) => each.some((outer) => isIn(area, outer)));
}

function isIn(area: Area, outer: Area): boolean {
  return area === outer || area.startsWith(`${outer}.`);
}

/** Returns the only place that matches. Throws 422 with the candidates if there are several. */
function onlyOne(matches: Match[]): Match {
  const own = matches.filter(({ isOwnName }) => isOwnName);
  const leastOther = largest.inArea * Math.max(0, ...own.map(({ population }) => population));
  const likely = matches
    .filter(({ isOwnName, hasArea, population }) => isOwnName || !hasArea || population >= leastOther)
    .toSorted((a, b) => b.population - a.population);
  const [best, ...others] = likely as [Match, ...Match[]];
  const rivals = others.filter((other) => !isSame(best, other) && !isFarLarger(best, other));
  if (rivals.length > 0) throw ambiguous(likely);
  return best;
}

function isSame(one: Match, other: Match): boolean {
  return one.country === other.country && one.state === other.state && kilometres(one, other) <= sameKm;
}

function isFarLarger(best: Match, other: Match): boolean {
  const people = Math.max(other.population, villagePopulation);
  if (!best.hasArea) return best.population >= largest.people && best.population >= largest.anywhere * people;
  const isLikelier = best.kind === 'capital' && best.country === other.country;
  return best.population >= (isLikelier ? largest.capital : largest.inArea) * people;
}

function ambiguous(towns: Match[]): Error {
  const names = [...new Set(towns.toSorted((a, b) => b.population - a.population).map(nameOf))];
  if (names.length === 1) {
    return unprocessable(`There are several places named ${names[0]}: please enter the coordinates instead.`);
  }
  const some = names.slice(0, 3).join('; ');
  return unprocessable(`There are several places of this name: please add the region, as in "${some}".`);
}

function nameOf({ name, state, country }: Town): string {
  return [name, state, country].filter(Boolean).join(', ');
}

function foundAt(town: Town): Found {
  return { lat: town.latitude, long: town.longitude, name: nameOf(town) };
}
