import { type Ring, UNITS } from './places.ts';

/** Tells which regions' outlines a point in degrees lies in. */
export type Outlines = { at(latitude: number, longitude: number): number[] };

/**
 * Prepares rings for look-ups. A region may have any number of rings, islands as well as holes: a point is inside
 * when a ray from it crosses them an odd number of times (the even-odd rule).
 */
export function outlines(rings: Ring[]): Outlines {
  const boxes = new Int32Array(rings.length * 4);
  rings.forEach(({ x, y }, i) => boxes.set(boundingBox(x, y), i * 4));

  return {
    at(latitude, longitude) {
      const pointX = longitude * UNITS;
      const pointY = latitude * UNITS;
      const inside = new Set<number>();
      for (let i = 0, box = 0; i < rings.length; i++, box += 4) {
        if (pointX < boxes[box]! || pointY < boxes[box + 1]!) continue;
        if (pointX > boxes[box + 2]! || pointY > boxes[box + 3]!) continue;
        const ring = rings[i]!;
        if (surrounds(ring, pointX, pointY) && !inside.delete(ring.region)) inside.add(ring.region);
      }
      return [...inside];
    },
  };
}

function surrounds({ x, y }: Ring, pointX: number, pointY: number): boolean {
  let odd = false;
  let fromX = x[x.length - 1]!;
  let fromY = y[y.length - 1]!;
  for (let i = 0; i < x.length; i++) {
    const toX = x[i]!;
    const toY = y[i]!;
    if (fromY > pointY !== toY > pointY) {
      if (pointX < fromX + ((toX - fromX) * (pointY - fromY)) / (toY - fromY)) odd = !odd;
    }
    fromX = toX;
    fromY = toY;
  }
  return odd;
}

function boundingBox(x: Int32Array, y: Int32Array): [number, number, number, number] {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < x.length; i++) {
    west = Math.min(west, x[i]!);
    south = Math.min(south, y[i]!);
    east = Math.max(east, x[i]!);
    north = Math.max(north, y[i]!);
  }
  return [west, south, east, north];
}
