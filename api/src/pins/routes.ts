import { unprocessable } from '../errors.ts';
import type { Geocoder } from '../geocoder/geocoder.ts';
import { route, type Route } from '../http/route.ts';
import { milesFromHome } from './distance.ts';
import { name, named, pinAdded, pinCounts, pins, point, region } from './schema.ts';
import type { PinStore } from './store.ts';

const water = 'There is no place on land here: please put the pin on land.';

export function pinRoutes(store: PinStore, geocoder: Geocoder): Route[] {
  return [
    route(
      {
        method: 'post',
        path: '/api/geocoder',
        access: 'public',
        summary: 'Names the place at a point; in water "success" is false.',
        input: { body: point },
        output: named,
      },
      ({ body }) => {
        const place = geocoder.locate(body.lat, body.long);
        if (!place) return { success: false, city: '', state: '', country: '', message: water };
        return { success: true, ...place };
      },
    ),
    route(
      {
        method: 'post',
        path: '/api/locations',
        access: 'public',
        summary:
          "Stores a visitor's pin and answers the counts of its place, this pin included; in water 422.",
        input: { body: point },
        output: pinAdded,
      },
      async ({ body }) => {
        const place = geocoder.locate(body.lat, body.long);
        if (!place) throw unprocessable(water);
        const counts = await store.add(body, place);
        const distance = milesFromHome(body.lat, body.long);
        return { success: true, ...place, ...counts, distance, message: 'The pin is stored.' };
      },
    ),
    route(
      { method: 'get', path: '/api/locations', access: 'public', summary: 'All pins.', output: pins },
      async () => ({ locations: await store.list() }),
    ),
    ...(['country', 'state', 'city'] as const).map((level) =>
      route(
        {
          method: 'get',
          path: `/api/locations/${level}/:name`,
          access: 'public',
          summary: `The pins of one ${level}.`,
          input: { params: name },
          output: pins,
        },
        async ({ params }) => ({ locations: await store.list({ [level]: params.name }) }),
      ),
    ),
    route(
      {
        method: 'get',
        path: '/api/locations/counts',
        access: 'public',
        summary: 'How many pins there are; with country and state also how many of those.',
        input: { query: region },
        output: pinCounts,
      },
      async ({ query: { country, state } }) => {
        const given = country !== undefined && state !== undefined;
        const [totals, regional] = await Promise.all([
          store.totals(),
          given ? store.region(country, state) : {},
        ]);
        return { success: true, ...totals, unqiue_countries: totals.unique_countries, ...regional };
      },
    ),
  ];
}
