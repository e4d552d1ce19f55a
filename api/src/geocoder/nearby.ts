import type KDBush from 'kdbush';
import type { Places } from './places.ts';

/** Finds places around a point in degrees. A filter receives the number of a place. */
export type Nearby = {
  /** Returns the nearest place within `maxKm`, and its distance. */
  nearest: (point: Point, maxKm: number, filter?: Filter) => Hit | undefined;
  /** Returns the place within `maxKm` that has the smallest ratio of distance to reach. */
  foremost: (point: Point, maxKm: number, filter: Filter) => number | undefined;
};

export type Point = { latitude: number; longitude: number };
export type Filter = (place: number) => boolean;
export type Hit = { place: number; km: number };

const kmPerDegree = 111.195;
/** The side of the first search box. The search widens the box until it contains a place. */
const firstKm = 1.5;
const widening = 3;

/** Prepares the indexes of places for searches. */
export function nearby({ indexes, reachOf }: Pick<Places, 'indexes' | 'reachOf'>): Nearby {
  let start = 0;
  const classes = indexes.map((index) => {
    const first = start;
    start += index.numItems;
    return {
      index,
      first,
      reach: reachOf.subarray(first, start).reduce((most, one) => Math.max(most, one), 0),
    };
  });

  return {
    nearest(point, maxKm, filter) {
      for (let km = Math.min(firstKm, maxKm); ; km = Math.min(km * widening, maxKm)) {
        let place = -1;
        let least = km;
        for (const { index, first } of classes) {
          eachWithin(index, point, least, (item, distance) => {
            if (distance > least || (filter && !filter(first + item))) return;
            least = distance;
            place = first + item;
          });
        }
        if (place >= 0) return { place, km: least };
        if (km >= maxKm) return undefined;
      }
    },

    foremost(point, maxKm, filter) {
      let best: number | undefined;
      let least = Infinity;
      for (const { index, first, reach } of classes) {
        for (let km = Math.min(firstKm, maxKm); ; km = Math.min(km * widening, maxKm)) {
          // A place beyond this distance cannot have a smaller ratio.
          const useful = Math.min(maxKm, (least * reach) / 1000);
          eachWithin(index, point, Math.min(km, useful), (item, distance) => {
            const proportion = (distance * 1000) / reachOf[first + item]!;
            if (proportion < least && filter(first + item)) {
              least = proportion;
              best = first + item;
            }
          });
          if (km >= Math.min(maxKm, (least * reach) / 1000)) break;
        }
      }
      return best;
    },
  };
}

/** Calls `found` for each item of the index within `km` of the point. */
function eachWithin(
  index: KDBush,
  point: Point,
  km: number,
  found: (item: number, km: number) => void,
): void {
  const { latitude, longitude } = point;
  const { coords } = index;
  const dy = km / kmPerDegree;
  const furthest = Math.min(89.9, Math.abs(latitude) + dy);
  const dx = Math.min(180, dy / Math.cos((furthest * Math.PI) / 180));
  for (const turn of turns(longitude, dx)) {
    const east = longitude + turn;
    for (const item of index.range(east - dx, latitude - dy, east + dx, latitude + dy)) {
      const distance = kilometres(point, { latitude: coords[2 * item + 1]!, longitude: coords[2 * item]! });
      if (distance <= km) found(item, distance);
    }
  }
}

/** Offsets to add to a longitude so that a search box covers both sides of the 180th meridian. */
function turns(longitude: number, dx: number): number[] {
  if (longitude - dx < -180) return [0, 360];
  if (longitude + dx > 180) return [0, -360];
  return [0];
}

/** The great-circle distance in km, by the haversine formula. */
export function kilometres(from: Point, to: Point): number {
  const radians = Math.PI / 180;
  const sinY = Math.sin(((to.latitude - from.latitude) * radians) / 2);
  const sinX = Math.sin(((to.longitude - from.longitude) * radians) / 2);
  const cosines = Math.cos(from.latitude * radians) * Math.cos(to.latitude * radians);
  return 2 * 6371 * Math.asin(Math.sqrt(Math.min(1, sinY * sinY + cosines * sinX * sinX)));
}
