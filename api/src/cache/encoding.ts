import { promisify } from 'node:util';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from 'node:zlib';
import type { Transform } from 'node:stream';

export type Encoding = 'zstd' | 'br' | 'gzip';

/** The level at which each costs about as much time as the text took to make. */
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const [zstdAll, brotliAll, gzipAll] = [promisify(zstdCompress), promisify(brotliCompress), promisify(gzip)];

/** In the order in which they are preferred. */
const encodings: Record<Encoding, { all: (text: Buffer) => Promise<Buffer>; stream: () => Transform }> = {
  zstd: { all: (text) => zstdAll(text), stream: () => createZstdCompress() },
  br: { all: (text) => brotliAll(text, brotli), stream: () => createBrotliCompress(brotli) },
  gzip: { all: (text) => gzipAll(text), stream: () => createGzip() },
};

/** Compresses a whole text. */
export const compress = (encoding: Encoding, text: Buffer): Promise<Buffer> => encodings[encoding].all(text);

/** Compresses what passes through it. */
export const compressor = (encoding: Encoding): Transform => encodings[encoding].stream();

/**
 * The encoding that a client prefers, by its header Accept-Encoding (RFC 9110, 12.5.3).
 * @returns null for no encoding: nothing else is acceptable, or `identity` is named with a higher quality value
 */
export function preferredEncoding(header: string | undefined): Encoding | null {
  if (!header) return null;
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)) || 0);
  }
  const weightOf = (encoding: string) => weights.get(encoding) ?? weights.get('*') ?? 0;
  const [best] = (Object.keys(encodings) as Encoding[]).toSorted((a, b) => weightOf(b) - weightOf(a));
  if (!best || weightOf(best) === 0) return null;
  return (weights.get('identity') ?? 0) > weightOf(best) ? null : best;
}
