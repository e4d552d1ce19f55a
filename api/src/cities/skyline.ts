import { encodePng } from '../pictures/encode-png.ts';

const width = 480;
const height = 320;
const shore = 236;

type Colour = readonly [red: number, green: number, blue: number];

const dusk: Colour = [38, 52, 92];
const horizon: Colour = [250, 178, 128];
const sun: Colour = [255, 221, 158];
const wall: Colour = [30, 36, 62];
const lamp: Colour = [255, 214, 120];
const sea: Colour = [34, 74, 104];

/**
 * Draws the picture for cities that have none: a skyline by the sea at dusk, as PNG. It is drawn here, so it needs no
 * licence.
 */
export function drawSkyline(): Buffer {
  const roofs = skyline();
  const colourAt = (x: number, y: number): Colour => {
    const isMirrored = y >= shore;
    // The water mirrors the town, shortened and broken up by waves.
    const above = isMirrored ? shore - 1 - Math.floor((y - shore) * 1.6) : y;
    const wave = isMirrored ? Math.round(3 * Math.sin(y * 0.9)) : 0;
    const town = townAt((x + wave + width) % width, above, roofs);
    return isMirrored ? mix(town, sea, 0.45 + (0.3 * (y - shore)) / (height - shore)) : town;
  };
  const pixels = Buffer.alloc(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    pixels.set(colourAt(pixel % width, Math.floor(pixel / width)), pixel * 3);
  }
  return encodePng(width, height, pixels);
}

function townAt(x: number, y: number, roofs: number[]): Colour {
  if (y >= roofs[x]!) {
    const isWindow = x % 6 < 2 && y % 9 < 4 && y > roofs[x]! + 6;
    return isWindow && (x * 31 + y * 17) % 11 < 4 ? lamp : wall;
  }
  if (Math.hypot(x - 336, y - 168) < 46) return sun;
  // In bands, which compress better.
  return mix(dusk, horizon, Math.round((y / shore) * 40) / 40);
}

/** Returns the top row of the town at each column. */
function skyline(): number[] {
  const roofs: number[] = [];
  for (let house = 0; roofs.length < width; house++) {
    const size = 18 + ((house * 37) % 5) * 6;
    const tallest = 70 + 80 * Math.sin((roofs.length / width) * Math.PI);
    const roof = Math.round(shore - tallest * (0.35 + (((house * 53) % 7) / 7) * 0.65));
    for (let column = 0; column < size; column++) roofs.push(column < 2 ? shore - 18 : roof);
  }
  return roofs.slice(0, width);
}

function mix(one: Colour, other: Colour, share: number): Colour {
  const part = (index: 0 | 1 | 2) => Math.round(one[index] + (other[index] - one[index]) * share);
  return [part(0), part(1), part(2)];
}
