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

/** At these levels compressing takes about as long as building the text. */
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const [zstdAll, brotliAll, gzipAll] = [promisify(zstdCompress), promisify(brotliCompress), promisify(gzip)];

/** In order of preference. */
const encodings: Record<Encoding, { all: (text: Buffer) => Promise<Buffer>; stream: () => Transform }> = {
  zstd: { all: (text) => zstdAll(text), stream: () => createZstdCompress() },
  br: { all: (text) => brotliAll(text, brotli), stream: () => createBrotliCompress(brotli) },
  gzip: { all: (text) => gzipAll(text), stream: () => createGzip() },
};

/** Compresses a whole text. */
export const compress = (encoding: Encoding, text: Buffer): Promise<Buffer> => encodings[encoding].all(text);

/** Returns a stream that compresses. */
export const compressor = (encoding: Encoding): Transform => encodings[encoding].stream();

/**
 * Returns the encoding that a client prefers, by its header Accept-Encoding (RFC 9110, 12.5.3).
 * @returns null for no encoding: no other encoding is acceptable, or `identity` has a higher quality value
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
