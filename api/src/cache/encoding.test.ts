import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { expect } from 'chai';
import { compress, preferredEncoding } from './encoding.ts';

describe('preferredEncoding', () => {
  const cases: [string | undefined, string | null][] = [
    [undefined, null],
    ['', null],
    ['identity', null],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['GZIP;q=0.5, br;q=0', 'gzip'],
    ['br;q=0.9, gzip;q=1.0, zstd;q=0.9', 'gzip'],
    ['*', 'zstd'],
    ['identity, gzip;q=0.5', null],
    ['identity;q=0.5, gzip;q=0.6', 'gzip'],
    ['identity, gzip', 'gzip'],
    ['identity;q=0, br', 'br'],
    ['*;q=0', null],
    ['zstd;q=0, *', 'br'],
    ['gzip;q=x', null],
    [';;,,;q', null],
    ['compress, deflate', null],
  ];
  for (const [header, encoding] of cases) {
    it(`is ${encoding} for ${JSON.stringify(header)}`, () => {
      expect(preferredEncoding(header)).to.equal(encoding);
    });
  }
});

describe('compress', () => {
  it('creates data that the decompressor of each encoding decodes', async () => {
    const text = Buffer.from('The same over and over. '.repeat(500));
    const undo = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync };
    for (const encoding of ['zstd', 'br', 'gzip'] as const) {
      const bytes = await compress(encoding, text);
      expect(bytes.length).to.be.lessThan(1_000);
      expect(undo[encoding](bytes).equals(text)).to.equal(true);
    }
  });
});
