import { gone, notFound, unprocessable } from '../http/errors.ts';
import type { Geocoder } from '../geocoder/geocoder.ts';
import { done } from '../http/fields.ts';
import { list } from '../http/list.ts';
import { routesWith, type Route } from '../http/route.ts';
import { milesFromHome } from './distance.ts';
import {
  correction,
  name,
  named,
  pinAdded,
  pinCorrected,
  pinCounts,
  pinId,
  pins,
  point,
  region,
} from './schema.ts';
import { pinStore } from './store.ts';

const route = routesWith(pinStore);

const noPin = () => notFound('There is no such pin.');
const unknownPin = { 404: 'There is no such pin.' };
const water = 'This point is in water: please put the pin on land.';

export function pinRoutes(geocoder: Geocoder): Route[] {
  const moved = (latitude?: number, longitude?: number) => {
    if (latitude === undefined || longitude === undefined) return undefined;
    const place = geocoder.locate(latitude, longitude);
    if (!place) throw unprocessable(water);
    return { latitude, longitude, ...place };
  };
  return [
    route(
      {
        method: 'post',
        path: '/api/geocoder',
        access: 'public',
        stores: false,
        limit: 'look_up',
        summary:
          'Returns the names of the place at a point. In water "success" is false, except at exactly (0, 0), where all names are null.',
        input: { body: point },
        output: named,
      },
      ({ body }) => {
        // The kiosk requests (0, 0) when a visitor presses Start; "success": false would block the first pin.
        if (body.lat === 0 && body.long === 0)
          return { success: true, city: null, state: null, country: null };
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
          "Stores a visitor's pin and returns the counts of its place, including this pin. Returns 422 in water.",
        input: { body: point },
        output: pinAdded,
        idempotent: 'by the store',
        refuses: { 422: 'The point is in water.' },
      },
      async ({ body: { lat, long }, claim, store }) => {
        const place = geocoder.locate(lat, long);
        if (!place) throw unprocessable(water);
        const counts = await store.add({ latitude: lat, longitude: long, ...place }, claim);
        const distance = milesFromHome(lat, long);
        return { success: true, ...place, ...counts, distance, message: 'The pin is stored.' };
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/locations',
        access: 'public',
        cached: 'pins',
        summary: 'All pins.',
        output: pins,
      },
      ({ store }) => list('locations', store.list()),
    ),
    ...(['country', 'state', 'city'] as const).map((level) =>
      route(
        {
          method: 'get',
          path: `/api/locations/${level}/:name`,
          access: 'public',
          cached: 'pins',
          summary: `The pins of one ${level}.`,
          input: { params: name },
          output: pins,
        },
        ({ params, store }) => list('locations', store.list({ [level]: params.name })),
      ),
    ),
    route(
      {
        method: 'get',
        path: '/api/locations/counts',
        access: 'public',
        cached: 'pins',
        summary: 'The number of pins; with country and state also the numbers of these.',
        input: { query: region },
        output: pinCounts,
      },
      async ({ query: { country, state }, store }) => {
        const given = country !== undefined && state !== undefined;
        const [totals, regional] = await Promise.all([
          store.totals(),
          given ? store.region(country, state) : {},
        ]);
        return { success: true, ...totals, unqiue_countries: totals.unique_countries, ...regional };
      },
    ),
    route(
      {
        method: 'patch',
        path: '/api/locations/:id',
        access: 'staff',
        summary:
          'Corrects a pin and updates all counts: a new point, from which the names are derived, or new names.',
        input: { params: pinId, body: correction },
        output: pinCorrected,
        refuses: { ...unknownPin, 422: 'The point is in water.' },
      },
      async ({ params, body: { lat, long, ...names }, store }) => {
        const hasNames = Object.keys(names).length > 0;
        const change = { move: moved(lat, long), names: hasNames ? names : undefined };
        const location = await store.correct(params.id, change);
        if (!location) throw noPin();
        return { success: true, message: 'The pin is corrected.', location };
      },
    ),
    route(
      {
        method: 'delete',
        path: '/api/locations/:id',
        access: 'staff',
        summary: 'Deletes a pin and updates all counts.',
        input: { params: pinId },
        output: done,
        refuses: unknownPin,
      },
      async ({ params, store }) => {
        if (!(await store.remove(params.id))) throw noPin();
        return { success: true, message: 'The pin is deleted.' };
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/snap/location',
        access: 'public',
        summary: 'Removed. It used to delete every other pin, and deletes nothing now.',
        refuses: { 410: 'Always.' },
      },
      () => {
        throw gone('This route no longer exists, because it deleted pins. Nothing was deleted.');
      },
    ),
  ];
}
