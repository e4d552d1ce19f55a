import { crc32, deflateSync } from 'node:zlib';
import { damaged, pieceCounter, slice, type Cleaned } from './cleaned.ts';
import { exifOf, orientationIn } from './exif.ts';

/**
 * The chunks that are kept beside the image data, each once, with the most bytes that it can need. Not iCCP: a profile is compressed, so a small one may expand
 * without limit. Not acTL, fcTL and fdAT: without them an animation is a still picture.
 */
const kept: Record<string, number> = {
  PLTE: 768,
  tRNS: 256,
  gAMA: 4,
  cHRM: 32,
  sRGB: 1,
  cICP: 4,
  sBIT: 4,
  bKGD: 6,
  pHYs: 9,
};

/** A PNG file (W3C, third edition) with its colours and orientation, but without texts, times, other frames and whatever follows its end. Throws `BadPicture`. */
export function cleanPng(bytes: Buffer): Cleaned {
  const signature = bytes.subarray(0, 8);
  const header = chunkAt(bytes, 8);
  if (header.type !== 'IHDR' || header.data.length !== 13) throw damaged();
  const [width, height] = [header.data.readUInt32BE(0), header.data.readUInt32BE(4)];

  const parts = [signature, header.whole];
  let orientation = 1;
  let hasData = false;
  const seen = new Set<string>();
  const count = pieceCounter();
  for (let at = 8 + header.whole.length; ;) {
    count();
    const { type, data, whole } = chunkAt(bytes, at);
    at += whole.length;
    if (type === 'eXIf') orientation = orientationIn(data);
    hasData ||= type === 'IDAT';
    if (type === 'IDAT' || (data.length <= (kept[type] ?? -1) && !seen.has(type))) parts.push(whole);
    seen.add(type);
    if (type === 'IEND') break;
  }
  if (!hasData) throw damaged();
  if (orientation !== 1) parts.splice(2, 0, chunkOf('eXIf', exifOf(orientation)));
  return { width, height, pixels: width * height, parts: [...parts, chunkOf('IEND', Buffer.alloc(0))] };
}

function chunkAt(bytes: Buffer, at: number): { type: string; data: Buffer; whole: Buffer } {
  const length = slice(bytes, at, 4).readUInt32BE();
  const whole = slice(bytes, at, length + 12);
  if (crc32(whole.subarray(4, -4)) !== whole.readUInt32BE(length + 8)) throw damaged();
  return { type: whole.toString('latin1', 4, 8), data: whole.subarray(8, -4), whole };
}

function chunkOf(type: string, data: Buffer): Buffer {
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from(type, 'latin1'), data, Buffer.alloc(4)]);
  chunk.writeUInt32BE(data.length, 0);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), data.length + 8);
  return chunk;
}

/** A PNG file of pixels with 8 bits each of red, green and blue. */
export function encodePng(width: number, height: number, pixels: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const rows = Array.from({ length: height }, (_, row) =>
    // The byte before each row says that it is not filtered.
    Buffer.concat([Buffer.alloc(1), pixels.subarray(row * width * 3, (row + 1) * width * 3)]),
  );
  const data = deflateSync(Buffer.concat(rows), { level: 9 });
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunkOf('IHDR', header),
    chunkOf('IDAT', data),
    chunkOf('IEND', Buffer.alloc(0)),
  ]);
}
