import Joi from 'joi';

/** Degrees. Where `west` is the greater one the box lies across the date line. */
export type Box = { west: number; south: number; east: number; north: number };

const digits = String.raw`(\.\d*)?([eE]-\d+)?`;
const longitude = String.raw`[+-]?0*(180(\.0*)?|(1[0-7]\d|\d{1,2})${digits})`;
const latitude = String.raw`[+-]?0*(90(\.0*)?|[0-8]?\d${digits})`;
const height = String.raw`[+-]?\d+${digits}`;
const point = `${longitude},${latitude}`;

/** `west,south,east,north`, or with heights, which nothing here has: `west,south,lowest,east,north,highest` (OGC API – Features 1.0, 7.15.3). */
export const bbox = Joi.string()
  .max(200)
  .pattern(new RegExp(`^(${point},${point}|${point},${height},${point},${height})$`))
  .custom((text: string, helpers) => {
    const { south, north } = boxOf(text);
    return south <= north ? text : helpers.error('bbox.order');
  })
  .messages({
    'string.pattern.base': '{#label} must be west,south,east,north in degrees, within ±180 and ±90',
    'bbox.order': '{#label} must have its south before its north',
  })
  .description('west,south,east,north in degrees. Where west is greater than east, across the date line.');

/** The box that a `bbox` names. */
export function boxOf(text: string): Box {
  const numbers = text.split(',').map(Number);
  const flat = numbers.length === 4 ? numbers : numbers.filter((_, index) => index % 3 !== 2);
  const [west, south, east, north] = flat as [number, number, number, number];
  return { west, south, east, north };
}
