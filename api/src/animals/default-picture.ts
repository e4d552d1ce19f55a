import { createHash } from 'node:crypto';
import { encodePng } from '../pictures/encode-png.ts';
import type { StoredPicture } from '../pictures/store.ts';

const width = 320;
const height = 240;
const waterline = 150;

type Colour = readonly [red: number, green: number, blue: number];
type Ellipse = { x: number; y: number; across: number; up: number; tilt: number };

const sky: Colour = [196, 222, 232];
const sea: Colour = [74, 128, 156];
const rock: Colour = [122, 116, 110];
const coat: Colour = [62, 68, 78];
const face: Colour = [24, 27, 32];

const ledge: Ellipse = { x: 165, y: 214, across: 150, up: 44, tilt: 0 };
/** A sea lion that sits up: body, chest, head, snout, fore flipper, tail. Lengths are pixels, `tilt` is radians clockwise. */
const seaLion: readonly Ellipse[] = [
  { x: 168, y: 148, across: 78, up: 31, tilt: -0.32 },
  { x: 217, y: 112, across: 27, up: 44, tilt: 0.2 },
  { x: 228, y: 70, across: 25, up: 21, tilt: -0.1 },
  { x: 250, y: 74, across: 15, up: 10, tilt: 0.1 },
  { x: 206, y: 166, across: 12, up: 38, tilt: -0.35 },
  { x: 90, y: 178, across: 36, up: 9, tilt: 0.18 },
];
const features: readonly Ellipse[] = [
  { x: 236, y: 66, across: 3, up: 3, tilt: 0 },
  { x: 262, y: 71, across: 4, up: 3, tilt: 0 },
];

/** The picture of an animal that has none: a drawn sea lion, so no photographer's rights apply. PNG. */
export function drawSeaLion(): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    pixels.set(colourAt(pixel % width, Math.floor(pixel / width)), pixel * 3);
  }
  return encodePng(width, height, pixels);
}

/** The same as a file to be served. */
export function defaultPicture(): StoredPicture {
  const bytes = drawSeaLion();
  return { sha256: createHash('sha256').update(bytes).digest('hex'), media_type: 'image/png', bytes };
}

function colourAt(x: number, y: number): Colour {
  if (features.some((shape) => holds(shape, x, y))) return face;
  if (seaLion.some((shape) => holds(shape, x, y))) return coat;
  if (holds(ledge, x, y)) return rock;
  return y < waterline ? sky : sea;
}

function holds({ x, y, across, up, tilt }: Ellipse, pointX: number, pointY: number): boolean {
  const [right, down] = [pointX - x, pointY - y];
  const along = right * Math.cos(tilt) + down * Math.sin(tilt);
  const against = down * Math.cos(tilt) - right * Math.sin(tilt);
  return (along / across) ** 2 + (against / up) ** 2 <= 1;
}
