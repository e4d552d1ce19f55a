import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import KDBush from 'kdbush';

/** A country, or a state of the USA. */
export type Region = { country: string; state: string | null };

/** A closed line that bounds a region; x is longitude, y latitude, both in units of 1/UNITS degree. */
export type Ring = { region: number; x: Int32Array; y: Int32Array };

/** All that the geocoder knows. `names` and `regionOf` have the order of the index's items. */
export type Places = {
  regions: Region[];
  rings: Ring[];
  index: KDBush;
  names: string[];
  regionOf: Uint16Array;
};

/** Lines are kept to a ten-thousandth of a degree (11 m), far finer than their source. */
export const UNITS = 10_000;

type Header = { regions: Region[]; rings: [region: number, points: number][]; bytes: number[] };

/**
 * Packs places into one compressed file: a line of JSON, then typed arrays (x and y of all lines as differences,
 * which compress well; the index; each place's region), then the names.
 */
export function packPlaces({ regions, rings, index, names, regionOf }: Places): Buffer {
  const sections = [
    differences(rings.map((ring) => ring.x)),
    differences(rings.map((ring) => ring.y)),
    new Uint8Array(index.data),
    bytesOf(regionOf),
    Buffer.from(names.join('\n')),
  ];
  const header: Header = {
    regions,
    rings: rings.map((ring) => [ring.region, ring.x.length]),
    bytes: sections.map((section) => section.length),
  };
  return zstdCompressSync(Buffer.concat([Buffer.from(JSON.stringify(header) + '\n'), ...sections]), {
    params: { [constants.ZSTD_c_compressionLevel]: 12 },
  });
}

/** Reads what `packPlaces` wrote. */
export function unpackPlaces(packed: Buffer): Places {
  const content = zstdDecompressSync(packed);
  const headerEnd = content.indexOf('\n');
  const header = JSON.parse(content.toString('utf8', 0, headerEnd)) as Header;

  let position = headerEnd + 1;
  // A copy, because a typed array has to begin at a multiple of its element's size.
  const [x, y, index, regionOf, names] = header.bytes.map((length) =>
    content.buffer.slice(content.byteOffset + position, content.byteOffset + (position += length)),
  ) as [ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer, ArrayBuffer];

  const lengths = header.rings.map(([, points]) => points);
  const xs = sums(new Int32Array(x), lengths);
  const ys = sums(new Int32Array(y), lengths);
  return {
    regions: header.regions,
    rings: header.rings.map(([region], i) => ({ region, x: xs[i]!, y: ys[i]! })),
    index: KDBush.from(index),
    names: Buffer.from(names).toString('utf8').split('\n'),
    regionOf: new Uint16Array(regionOf),
  };
}

function differences(lines: Int32Array[]): Uint8Array {
  return Buffer.concat(lines.map((line) => bytesOf(line.map((value, i) => value - (i ? line[i - 1]! : 0)))));
}

function sums(values: Int32Array, lengths: number[]): Int32Array[] {
  let start = 0;
  return lengths.map((length) => {
    const line = values.subarray(start, (start += length));
    for (let i = 1; i < length; i++) line[i]! += line[i - 1]!;
    return line;
  });
}

function bytesOf(array: Int32Array | Uint16Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
