import Joi from 'joi';
import { wrapped } from '../geocoder/geocoder.ts';

/** Degrees, longitudes from -180 to 180. If `west` is greater than `east`, the box crosses the antimeridian. */
export type Box = { west: number; south: number; east: number; north: number };

const number = String.raw`[+-]?\d+(\.\d*)?([eE][+-]?\d{1,2})?`;

/**
 * `west,south,east,north`, or with heights, which no feature has: `west,south,lowest,east,north,highest` (OGC 17-069r4,
 * 7.15.3). Parsed to a `Box`.
 */
export const bbox = Joi.string()
  .max(200)
  .pattern(new RegExp(`^${number}(,${number}){3}((,${number}){2})?$`))
  .custom((text: string, helpers) => {
    const box = boxOf(text);
    if (box.south < -90 || box.north > 90) return helpers.error('bbox.latitude');
    return box.south <= box.north ? box : helpers.error('bbox.order');
  })
  .messages({
    'string.pattern.base': '{#label} must be west,south,east,north: numbers in degrees',
    'bbox.latitude': '{#label} must have latitudes from -90 to 90',
    'bbox.order': '{#label} must have a south that is not greater than its north',
  })
  .description(
    'west,south,east,north in degrees. Longitudes beyond ±180 are wrapped. If west is greater than east, the box crosses the antimeridian.',
  )
  .meta({
    parameter: {
      schema: {
        type: 'array',
        minItems: 4,
        maxItems: 6,
        oneOf: [
          { minItems: 4, maxItems: 4 },
          { minItems: 6, maxItems: 6 },
        ],
        items: { type: 'number' },
      },
      example: [-125, 32, -114, 42],
    },
  });

function boxOf(text: string): Box {
  const numbers = text.split(',').map(Number);
  const flat = numbers.length === 4 ? numbers : numbers.filter((_, index) => index % 3 !== 2);
  const [west, south, east, north] = flat as [number, number, number, number];
  if (east - west >= 360) return { west: -180, south, east: 180, north };
  return { west: inRange(west), south, east: inRange(east), north };
}

/** 180 is kept, so that a box up to the antimeridian includes its points. */
const inRange = (longitude: number) => (longitude === 180 ? 180 : wrapped(longitude));

/** Formats a box as a parameter. */
export const textOf = ({ west, south, east, north }: Box): string => [west, south, east, north].join(',');

/** Returns the whole degrees that longitudes in a box have when rounded down. */
export function degreesOf({ west, east }: Box): number[] {
  const [first, last] = [Math.floor(west), Math.floor(east)];
  return west <= east ? range(first, last) : [...range(-180, last), ...range(first, 180)];
}

/** Returns the whole numbers from `first` to `last`, both included. */
export const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Returns the area of a box in square degrees. */
export const areaOf = ({ west, south, east, north }: Box): number =>
  (west <= east ? east - west : east - west + 360) * (north - south);
