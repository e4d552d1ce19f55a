import { type Ring, unitsPerDegree } from './places.ts';

/** Locates a point in degrees relative to a set of closed lines. */
export type Outlines = {
  /** Returns the regions whose outlines contain the point. */
  at(latitude: number, longitude: number): number[];
  /** Returns the region of the outline nearest to the point, if a line passes within `km`. */
  nearest(km: number, latitude: number, longitude: number): number | undefined;
};

/**
 * Segments per piece. The longest lines have 80,000 points, so they are searched in pieces with a bounding box each.
 */
const segmentsPerPiece = 64;
/** Fields per piece: west, south, east, north, the number of the ring, and the index of the first point. */
const fieldsPerPiece = 6;
const kmPerUnit = 111.195 / unitsPerDegree;

/**
 * Prepares rings for lookups. A region may have any number of rings, islands as well as holes: a point is inside if a
 * ray from it crosses them an odd number of times (the even-odd rule).
 */
export function outlines(rings: Ring[]): Outlines {
  const pieces = Int32Array.from(rings.flatMap(piecesOf));
  const bands = bandsOf(pieces);

  return {
    at(latitude, longitude) {
      const pointX = longitude * unitsPerDegree;
      const pointY = latitude * unitsPerDegree;
      const inside = new Set<number>();
      for (const piece of bands[bandOf(pointY)]!) {
        // The ray runs east, so it cannot cross a piece to the west, north or south of the point.
        if (pointX > pieces[piece + 2]! || pointY < pieces[piece + 1]! || pointY > pieces[piece + 3]!)
          continue;
        const ring = rings[pieces[piece + 4]!]!;
        if (!crosses(ring, pieces[piece + 5]!, pointX, pointY)) continue;
        if (!inside.delete(ring.region)) inside.add(ring.region);
      }
      return [...inside];
    },
    nearest(km, latitude, longitude) {
      const pointX = longitude * unitsPerDegree;
      const pointY = latitude * unitsPerDegree;
      const shrink = Math.max(0.01, Math.cos((latitude * Math.PI) / 180));
      const margin = km / kmPerUnit;
      const marginX = margin / shrink;
      let least = margin;
      let region: number | undefined;
      for (let band = bandOf(pointY - margin); band <= bandOf(pointY + margin); band++) {
        for (const piece of bands[band]!) {
          if (pointX < pieces[piece]! - marginX || pointX > pieces[piece + 2]! + marginX) continue;
          if (pointY < pieces[piece + 1]! - margin || pointY > pieces[piece + 3]! + margin) continue;
          const ring = rings[pieces[piece + 4]!]!;
          const distance = distanceTo(ring, pieces[piece + 5]!, pointX, pointY, shrink);
          if (distance > least) continue;
          least = distance;
          region = ring.region;
        }
      }
      return region;
    },
  };
}

function piecesOf({ x, y }: Ring, ring: number): number[] {
  const pieces: number[] = [];
  for (let first = 0; first < x.length - 1; first += segmentsPerPiece) {
    let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = first; i <= Math.min(first + segmentsPerPiece, x.length - 1); i++) {
      west = Math.min(west, x[i]!);
      south = Math.min(south, y[i]!);
      east = Math.max(east, x[i]!);
      north = Math.max(north, y[i]!);
    }
    pieces.push(west, south, east, north, ring, first);
  }
  return pieces;
}

/** The pieces that touch each degree of latitude, starting at the south pole. */
function bandsOf(pieces: Int32Array): Int32Array[] {
  const bands = Array.from({ length: 180 }, (): number[] => []);
  for (let piece = 0; piece < pieces.length; piece += fieldsPerPiece) {
    for (let band = bandOf(pieces[piece + 1]!); band <= bandOf(pieces[piece + 3]!); band++) {
      bands[band]!.push(piece);
    }
  }
  return bands.map((band) => Int32Array.from(band));
}

function bandOf(y: number): number {
  return Math.max(0, Math.min(179, Math.floor(y / unitsPerDegree) + 90));
}

/** Whether a ray from the point to the east crosses this piece of the ring an odd number of times. */
function crosses({ x, y }: Ring, first: number, pointX: number, pointY: number): boolean {
  let odd = false;
  const last = Math.min(first + segmentsPerPiece, x.length - 1);
  for (let i = first; i < last; i++) {
    const fromY = y[i]!;
    const toY = y[i + 1]!;
    if (fromY > pointY === toY > pointY) continue;
    const fromX = x[i]!;
    if (pointX < fromX + ((x[i + 1]! - fromX) * (pointY - fromY)) / (toY - fromY)) odd = !odd;
  }
  return odd;
}

/** The distance between the point and a piece of the ring, in units of latitude, on a plane around the point. */
function distanceTo({ x, y }: Ring, first: number, pointX: number, pointY: number, shrink: number): number {
  let least = Infinity;
  const last = Math.min(first + segmentsPerPiece, x.length - 1);
  for (let i = first; i < last; i++) {
    const fromX = (x[i]! - pointX) * shrink;
    const fromY = y[i]! - pointY;
    const alongX = (x[i + 1]! - x[i]!) * shrink;
    const alongY = y[i + 1]! - y[i]!;
    const length = alongX * alongX + alongY * alongY;
    const part = length === 0 ? 0 : Math.max(0, Math.min(1, -(fromX * alongX + fromY * alongY) / length));
    least = Math.min(least, (fromX + part * alongX) ** 2 + (fromY + part * alongY) ** 2);
  }
  return Math.sqrt(least);
}
