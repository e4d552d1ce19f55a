import type { DiskWatch } from '../database/disk.ts';
import { json } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { shippedPicture } from '../pictures/shipped.ts';
import type { LookUp } from './look-up.ts';
import { city, cityPicture } from './schema.ts';
import type { CityStore } from './store.ts';

const forADay = { headers: { 'Cache-Control': 'public, max-age=86400' } };
const forAWhile = { headers: { 'Cache-Control': 'public, max-age=600' } };

/** `lookUp` is null if no image service is configured. */
export function cityRoutes(store: CityStore, lookUp: LookUp | null, disk: DiskWatch): Route[] {
  const skyline = { image: shippedPicture('skyline.png').toString('base64') };

  const find = async (name: string): Promise<Uint8Array | null> => {
    if (!lookUp) return null;
    const city = name.toLowerCase();
    const kept = await store.find(city);
    if (kept || (await disk.trouble()) !== null || !(await store.claim(name))) return kept;
    const picture = await lookUp(city);
    if (picture) await store.keep(city, picture);
    return store.find(city);
  };

  return [
    route(
      {
        method: 'get',
        path: '/api/images/city',
        access: 'public',
        limit: 'look_up',
        summary:
          'The picture of a city that has a pin, or a generic one. Pictures are looked up once and stored.',
        input: { query: city },
        output: cityPicture,
      },
      async ({ query }) => {
        const picture = await find(query.city);
        return picture
          ? json({ image: Buffer.from(picture).toString('base64') }, forADay)
          : json(skyline, forAWhile);
      },
    ),
  ];
}
