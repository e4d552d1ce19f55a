import { createGeocoder, loadPlaces, type Place } from '../../api/src/geocoder/geocoder.ts';
import { pointOf } from '../../api/src/geocoder/places.ts';
import { milesFromHome } from '../../api/src/pins/distance.ts';
import { sequence } from '../../api/src/testing/sequence.ts';

/** A point in degrees, with the name that the API gives it. */
export type Spot = Place & { latitude: number; longitude: number };

/** How a draw from 0 to below 1 becomes a place's number: visitors come from near and far, half of them from the nearest sixteenth of all places. */
export const skew = 4;

/** The places of the gazetteer, from the nearest to the rescue centre to the farthest, a tab between the columns of a line as PostgreSQL's COPY reads them. */
export async function placesToCopy(): Promise<string> {
  const places = await sorted();
  const lines = places.map(({ country, state, city, latitude, longitude }, number) =>
    [number, latitude, longitude, country, state ?? '\\N', city].join('\t'),
  );
  return `${lines.join('\n')}\n`;
}

/** Some points where visitors come from: the same in every run. */
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
