import { closeSync, openSync, readSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** A GeoNames code: a country `US`, its first-level region `US.CA`, or a county of that region `US.CA.059`. */
export type Area = string;

export type Town = {
  name: string;
  /** The smallest area that contains the town. */
  area: Area;
  /** The names of its first-level region and its country, as stored with pins. */
  state: string | null;
  country: string;
  latitude: number;
  longitude: number;
  population: number;
  kind: 'town' | 'capital' | 'section';
};

/** Finds towns and areas by the key of a name (see `keyOf`). */
export type AddressIndex = {
  towns(key: string): Town[];
  areas(key: string): Area[];
};

/** The content of an index: for each key the numbers of its towns, or its areas. */
export type AddressData = {
  towns: Town[];
  townKeys: Map<string, number[]>;
  areaKeys: Map<string, Area[]>;
};

/**
 * Compressed blocks of lines: the offset of the first block and of the end of each block, counted from the end of the
 * header, and the key of the first line of each.
 */
type Table = { start: number; ends: number[]; keys: string[] };
type Header = Record<'towns' | 'townKeys' | 'areaKeys', Table>;

/** Lines per block. A small block is quick to read; a large one compresses better. */
const linesPerBlock = { towns: 128, keys: 256 };
/** Decompressing a block takes this much memory, as a power of two: 128 KB. */
const windowLog = 17;
/** The size of the length field before the compressed header, in bytes. */
const prefixSize = 4;

/**
 * Packs an index so that a search reads only a few blocks of the file and a worker keeps none of it in memory. All
 * names would take 30 MB.
 */
export function packIndex({ towns, townKeys, areaKeys }: AddressData): Buffer {
  const blocks: Buffer[] = [];
  let end = 0;
  const pack = (lines: string[], size: number, keys: string[]): Table => {
    const start = end;
    const ends = Array.from({ length: Math.ceil(lines.length / size) }, (_, number) => {
      const block = compress(`\n${lines.slice(number * size, (number + 1) * size).join('\n')}\n`);
      blocks.push(block);
      return (end += block.length);
    });
    return { start, ends, keys: keys.filter((_, number) => number % size === 0) };
  };
  const packKeys = (keys: Map<string, unknown[]>): Table => {
    const sorted = [...keys.keys()].toSorted(byCodeUnits);
    const lines = sorted.map((key) => `${key}\t${keys.get(key)!.join(',')}`);
    return pack(lines, linesPerBlock.keys, sorted);
  };
  const header: Header = {
    towns: pack(
      towns.map((town, number) => `${number}\t${JSON.stringify(inOrder(town))}`),
      linesPerBlock.towns,
      [],
    ),
    townKeys: packKeys(townKeys),
    areaKeys: packKeys(areaKeys),
  };
  const head = compress(JSON.stringify(header));
  const prefix = Buffer.alloc(prefixSize);
  prefix.writeUInt32LE(head.length);
  return Buffer.concat([prefix, head, ...blocks]);
}

/** Runs `search` on the index in a file that `packIndex` wrote. */
export function withIndex<Result>(file: string, search: (index: AddressIndex) => Result): Result {
  const descriptor = openSync(file, 'r');
  try {
    return search(readIndex(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

function readIndex(descriptor: number): AddressIndex {
  const read = (start: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    if (readSync(descriptor, bytes, 0, length, start) !== length)
      throw new Error('The address index is truncated.');
    return bytes;
  };
  const start = prefixSize + read(0, prefixSize).readUInt32LE();
  const header = JSON.parse(zstdDecompressSync(read(prefixSize, start - prefixSize)).toString()) as Header;
  const known = new Map<number, Buffer>();
  const block = ({ start: first, ends }: Table, number: number): Buffer => {
    const [begin, end] = [ends[number - 1] ?? first, ends[number]!];
    const lines = known.get(end) ?? zstdDecompressSync(read(start + begin, end - begin));
    known.set(end, lines);
    return lines;
  };
  const values = (table: Table, key: string): string[] => {
    const number = table.keys.findLastIndex((first) => first <= key);
    if (number < 0) return [];
    const line = lineAfter(block(table, number), `\n${key}\t`);
    return line?.split(',') ?? [];
  };
  return {
    areas: (key) => values(header.areaKeys, key),
    towns: (key) =>
      values(header.townKeys, key).map((number) => {
        const lines = block(header.towns, Math.floor(Number(number) / linesPerBlock.towns));
        return townOf(JSON.parse(lineAfter(lines, `\n${number}\t`)!) as TownFields);
      }),
  };
}

/** Returns the rest of the line that begins with `start`. */
function lineAfter(lines: Buffer, start: string): string | undefined {
  const position = lines.indexOf(start);
  if (position < 0) return undefined;
  return lines.toString('utf8', position + Buffer.byteLength(start), lines.indexOf('\n', position + 1));
}

type TownFields = [string, Area, string | null, string, number, number, number, Town['kind']];

function inOrder({ name, area, state, country, latitude, longitude, population, kind }: Town): TownFields {
  return [name, area, state, country, latitude, longitude, population, kind];
}

function townOf([name, area, state, country, latitude, longitude, population, kind]: TownFields): Town {
  return { name, area, state, country, latitude, longitude, population, kind };
}

/** Compares by code units, independent of the locale. */
function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function compress(text: string): Buffer {
  return zstdCompressSync(text, {
    params: { [constants.ZSTD_c_compressionLevel]: 6, [constants.ZSTD_c_windowLog]: windowLog },
  });
}
