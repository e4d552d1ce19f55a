import { BadPicture, damaged, pieceCounter, slice, type Cleaned } from './cleaned.ts';
import { exifOf, orientationIn } from './exif.ts';

const EXIF = 'Exif\0\0';
const ICC = 'ICC_PROFILE\0';

/** A picture that comes in steps has about ten; each costs a viewer a pass over all pixels, and may have next to no bytes. */
const mostScans = 100;

/** What ends a scan's compressed data, in which stuffed bytes and restarts look like markers. */
const markerAfterScan = /\xff[^\0\xd0-\xd7\xff]/g;

/**
 * Cleans a JPEG file (ITU T.81, annex B): keeps the segments that a viewer needs to decode it, its colour profile and its orientation, and drops everything else.
 * Throws `BadPicture`.
 */
export function cleanJpeg(bytes: Buffer): Cleaned {
  const text = bytes.toString('latin1');
  const parts = [bytes.subarray(0, 2)];
  let size: { width: number; height: number } | undefined;
  let orientation = 1;
  let scans = 0;
  const count = pieceCounter();
  for (let at = 2; ;) {
    count();
    if (bytes[at] !== 0xff) throw damaged();
    // A marker may be padded with more of its first byte.
    at = find(/[^\xff]/g, text, at) - 1;
    const code = slice(bytes, at, 2).readUInt8(1);
    if (code === 0xd9) break;
    const payload = slice(bytes, at + 4, slice(bytes, at + 2, 2).readUInt16BE() - 2);
    const end =
      code === 0xda ? find(markerAfterScan, text, at + 4 + payload.length) : at + 4 + payload.length;
    const segment = bytes.subarray(at, end);
    at = end;

    if (isFrame(code)) {
      if (size || code > 0xc2) throw new BadPicture('type', 'is a JPEG of a kind that browsers do not show');
      size = { height: payload.readUInt16BE(1), width: payload.readUInt16BE(3) };
    }
    if (code === 0xda && ++scans > mostScans) throw damaged();
    if (code === 0xe1 && startsWith(payload, EXIF)) orientation = orientationIn(payload.subarray(6));
    parts.push(...kept(code, payload, segment));
  }
  if (!size || scans === 0) throw damaged();
  if (orientation !== 1) parts.splice(1, 0, segmentOf(0xe1, EXIF, exifOf(orientation)));
  return { ...size, pixels: size.width * size.height, parts: [...parts, Buffer.from([0xff, 0xd9])] };
}

/** Where `pattern`, a global one, is found from `at` on. In JavaScript's own loops two million bytes take too long. */
function find(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (!found) throw damaged();
  return found.index;
}

/** The length that the content of a segment declares. A longer segment could carry arbitrary data after it. */
const announcedLength: Record<number, (payload: Buffer) => number> = {
  0xc4: huffmanLength,
  0xda: (payload) => 4 + 2 * payload.readUInt8(0),
  0xdb: quantizationLength,
  0xdd: () => 2,
};
for (const frame of [0xc0, 0xc1, 0xc2]) announcedLength[frame] = (payload) => 6 + 3 * payload.readUInt8(5);

/** Returns the part of a segment to keep: nothing, unless its marker is on the list. */
function kept(code: number, payload: Buffer, segment: Buffer): Buffer[] {
  const announced = announcedLength[code];
  if (announced) {
    if (announced(payload) !== payload.length) throw damaged();
    return [segment];
  }
  if (code === 0xe0 && startsWith(payload, 'JFIF\0')) {
    // Removes the preview that may follow: its size becomes 0 by 0 pixels.
    return [segmentOf(code, '', Buffer.concat([slice(payload, 0, 12), Buffer.from([0, 0])]))];
  }
  if (code === 0xe2 && startsWith(payload, ICC)) return [segment];
  if (code === 0xee && startsWith(payload, 'Adobe')) return [segmentOf(code, '', slice(payload, 0, 12))];
  return [];
}

/** T.81, B.2.4.2: for each table its number, the count of codes of each of 16 lengths, and a byte for each code. */
function huffmanLength(payload: Buffer): number {
  let at = 0;
  while (at < payload.length) {
    at += 17 + slice(payload, at + 1, 16).reduce((sum, codes) => sum + codes, 0);
  }
  return at;
}

/** T.81, B.2.4.1: for each table its precision and number, then 64 values of one or two bytes. */
function quantizationLength(payload: Buffer): number {
  let at = 0;
  while (at < payload.length) at += 1 + (payload.readUInt8(at) >> 4 ? 128 : 64);
  return at;
}

/** SOF0 to SOF15, among which are three codes of other meaning. */
function isFrame(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}

function segmentOf(code: number, identifier: string, payload: Buffer): Buffer {
  const head = Buffer.from([0xff, code, 0, 0]);
  head.writeUInt16BE(2 + identifier.length + payload.length, 2);
  return Buffer.concat([head, Buffer.from(identifier, 'latin1'), payload]);
}

function startsWith(payload: Buffer, text: string): boolean {
  return payload.toString('latin1', 0, text.length) === text;
}
