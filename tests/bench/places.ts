import { createGeocoder, loadPlaces, type Place } from '../../api/src/geocoder/geocoder.ts';
import { pointOf } from '../../api/src/geocoder/places.ts';
import { milesFromHome } from '../../api/src/pins/distance.ts';
import { sequence } from '../../api/src/testing/sequence.ts';

/** A point in degrees, with the name that the API gives it. */
export type Spot = Place & { latitude: number; longitude: number };

/** Exponent that maps a uniform random number to a place: half of all visitors come from the nearest sixteenth of the places. */
export const skew = 4;

/** Returns the places of the gazetteer, sorted by distance from the rescue centre, in the text format of PostgreSQL's COPY. */
export async function placesToCopy(): Promise<string> {
  const places = await sorted();
  const lines = places.map(({ country, state, city, latitude, longitude }, number) =>
    [number, latitude, longitude, country, state ?? '\\N', city].join('\t'),
  );
  return `${lines.join('\n')}\n`;
}

/** Returns origins of visitors. Deterministic: the same in every run. */
export async function someSpots(many: number): Promise<Spot[]> {
  const places = await sorted();
  const geocoder = createGeocoder(await loadPlaces());
  const next = sequence(4);
  const spots: Spot[] = [];
  while (spots.length < many) {
    const { latitude, longitude } = places[Math.floor(places.length * next() ** skew)]!;
    const place = geocoder.locate(latitude, longitude);
    if (place) spots.push({ latitude, longitude, ...place });
  }
  return spots;
}

async function sorted(): Promise<Spot[]> {
  const places = await loadPlaces();
  const { names, regions, regionOf } = places;
  return names
    .map((city, number) => {
      return { ...regions[regionOf[number]!]!, city, ...pointOf(places, number) };
    })
    .map((spot) => ({ spot, miles: milesFromHome(spot.latitude, spot.longitude) }))
    .toSorted((a, b) => a.miles - b.miles)
    .map(({ spot }) => spot);
}
