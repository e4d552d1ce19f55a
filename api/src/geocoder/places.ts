import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import KDBush from 'kdbush';

/** A country without a state, or one of its first-level regions (`state`). */
export type Region = { country: string; state: string | null };

/**
 * A closed line. x is longitude and y is latitude, both in units of 1/`unitsPerDegree` degree. `region` indexes
 * `Places.regions`.
 */
export type Ring = { region: number; x: Int32Array; y: Int32Array };

/** The sets of outlines: countries with their territorial waters, US states on land, land, and lakes. */
export const layers = ['borders', 'states', 'land', 'lakes'] as const;
export type Layer = (typeof layers)[number];

/** Numbers that stand for regions in the rings of land and lakes. */
export const landRegion = { world: 0, us: 1 } as const;
export const lakeRegion = { other: 0, great: 1 } as const;

/**
 * All data of the geocoder. A place has the same number in `names`, `regionOf` and `reachOf`. Places are numbered in
 * the order of `indexes`: the places of the first index come first.
 */
export type Places = {
  regions: Region[];
  outlines: Record<Layer, Ring[]>;
  /** One index per class of reach, smallest first. */
  indexes: KDBush[];
  names: string[];
  regionOf: Uint16Array;
  /** The reach of each place in metres; see `reach` in prepare-cities.ts. */
  reachOf: Uint16Array;
  /** Places outside the outline of their own country or US state, in ascending order. */
  strays: number[];
};

/** Lines are stored to a ten-thousandth of a degree (11 m), far finer than their sources. */
export const unitsPerDegree = 10_000;

/** Returns the coordinates of a place in degrees. They are stored as 32-bit floats, which have about seven digits. */
export function pointOf(
  { indexes }: Pick<Places, 'indexes'>,
  place: number,
): { latitude: number; longitude: number } {
  let item = place;
  for (const { numItems, coords } of indexes) {
    if (item < numItems) return { latitude: coords[2 * item + 1]!, longitude: coords[2 * item]! };
    item -= numItems;
  }
  throw new RangeError(`There is no place number ${place}.`);
}

type Header = {
  regions: Region[];
  rings: Record<Layer, [region: number, points: number][]>;
  strays: number[];
  indexes: number;
  bytes: number[];
};

/**
 * Packs places into one compressed file: a line of JSON; typed arrays (x and y of all lines as deltas, which compress
 * well; the region and reach of each place; the indexes); then the names.
 */
export function packPlaces(places: Places): Buffer {
  const { regions, outlines, indexes, names, regionOf, reachOf, strays } = places;
  const rings = layers.flatMap((layer) => outlines[layer]);
  const sections = [
    differences(rings.map((ring) => ring.x)),
    differences(rings.map((ring) => ring.y)),
    bytesOf(regionOf),
    bytesOf(reachOf),
    Buffer.from(names.join('\n')),
    ...indexes.map(({ data }) => new Uint8Array(data)),
  ];
  const sizes = layers.map((layer) => [
    layer,
    outlines[layer].map(({ region, x }) => [region, x.length] as const),
  ]);
  const header = {
    regions,
    rings: Object.fromEntries(sizes) as Header['rings'],
    strays,
    indexes: indexes.length,
    bytes: sections.map((section) => section.length),
  } satisfies Header;
  return zstdCompressSync(Buffer.concat([Buffer.from(JSON.stringify(header) + '\n'), ...sections]), {
    params: { [constants.ZSTD_c_compressionLevel]: 12 },
  });
}

/** Reads a file that `packPlaces` wrote. */
export function unpackPlaces(packed: Buffer): Places {
  const content = zstdDecompressSync(packed);
  const headerEnd = content.indexOf('\n');
  const header = JSON.parse(content.toString('utf8', 0, headerEnd)) as Header;

  let position = headerEnd + 1;
  // Copies, because a typed array must begin at a multiple of its element size.
  const [x, y, regionOf, reachOf, names, ...indexes] = header.bytes.map((length) =>
    content.buffer.slice(content.byteOffset + position, content.byteOffset + (position += length)),
  ) as [ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer, ...ArrayBuffer[]];

  return {
    regions: header.regions,
    outlines: unpackOutlines(header.rings, new Int32Array(x), new Int32Array(y)),
    indexes: indexes.map((index) => KDBush.from(index)),
    names: Buffer.from(names).toString('utf8').split('\n'),
    regionOf: new Uint16Array(regionOf),
    reachOf: new Uint16Array(reachOf),
    strays: header.strays,
  };
}

function unpackOutlines(rings: Header['rings'], x: Int32Array, y: Int32Array): Places['outlines'] {
  let start = 0;
  const unpacked = layers.map((layer) => [
    layer,
    rings[layer].map(([region, points]): Ring => {
      const end = start + points;
      const ring = { region, x: summed(x.subarray(start, end)), y: summed(y.subarray(start, end)) };
      start = end;
      return ring;
    }),
  ]);
  return Object.fromEntries(unpacked) as Places['outlines'];
}

function differences(lines: Int32Array[]): Uint8Array {
  return Buffer.concat(lines.map((line) => bytesOf(line.map((value, i) => value - (i ? line[i - 1]! : 0)))));
}

function summed(line: Int32Array): Int32Array {
  for (let i = 1; i < line.length; i++) line[i]! += line[i - 1]!;
  return line;
}

function bytesOf(array: Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
