import { BadPicture, damaged, pieceCounter, slice, type Cleaned } from './cleaned.ts';
import { exifOf, orientationIn } from './exif.ts';

const kept = new Set(['VP8 ', 'VP8L', 'ALPH', 'ICCP']);

// Of the header of an extended file (VP8X).
const ANIMATED = 0x02;
const HAS_XMP = 0x04;
const HAS_EXIF = 0x08;

/** A WebP file (RFC 9649) of one frame with its colours and orientation, but without other metadata and whatever follows its end. Throws `BadPicture`. */
export function cleanWebp(bytes: Buffer): Cleaned {
  const parts: Buffer[] = [];
  let size: { width: number; height: number } | undefined;
  let extended: Buffer | undefined;
  let orientation = 1;
  const content = slice(bytes, 8, bytes.readUInt32LE(4));
  const seen = new Set<string>();
  const count = pieceCounter();
  for (let at = 4; at < content.length;) {
    count();
    const { type, data, length } = chunkAt(content, at);
    at += length;
    if (type === 'VP8X') {
      extended = headerOf(data);
      if (data.readUInt8() & ANIMATED) throw new BadPicture('type', 'is a film, not a picture');
    }
    if (type === 'EXIF') orientation = orientationIn(data);
    if (type === 'VP8 ' || type === 'VP8L') {
      if (size) throw damaged();
      size = type === 'VP8 ' ? lossySize(data) : losslessSize(data);
    }
    if (kept.has(type) && !seen.has(type)) parts.push(chunkOf(type, data));
    seen.add(type);
  }
  if (!size) throw damaged();
  if (extended) {
    const flags = extended.readUInt8(8) & ~(HAS_XMP | HAS_EXIF);
    extended.writeUInt8(orientation === 1 ? flags : flags | HAS_EXIF, 8);
    if (!isCanvas(extended, size)) throw damaged();
    parts.unshift(extended);
    if (orientation !== 1) parts.push(chunkOf('EXIF', exifOf(orientation)));
  }
  return { ...size, pixels: size.width * size.height, parts: [riff(parts), ...parts] };
}

/** RFC 6386, 9.1: 14 bits each, after the frame's tag and start code. */
function lossySize(data: Buffer): { width: number; height: number } {
  if (slice(data, 0, 10).readUIntBE(3, 3) !== 0x9d012a) throw damaged();
  return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
}

/** RFC 9649, 3.4: 14 bits each, less one, after the signature. */
function losslessSize(data: Buffer): { width: number; height: number } {
  if (slice(data, 0, 5)[0] !== 0x2f) throw damaged();
  const bits = data.readUInt32LE(1);
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
}

/** Whether an extended file's canvas is its one frame's size. */
function isCanvas(extended: Buffer, { width, height }: { width: number; height: number }): boolean {
  return extended.readUIntLE(12, 3) + 1 === width && extended.readUIntLE(15, 3) + 1 === height;
}

/** The header of an extended file, its reserved bytes zero. */
function headerOf(data: Buffer): Buffer {
  const header = Buffer.from(slice(data, 0, 10));
  header.fill(0, 1, 4);
  return chunkOf('VP8X', header);
}

/** The chunk at an offset, and how many bytes it takes, with its header and padding. */
function chunkAt(content: Buffer, at: number): { type: string; data: Buffer; length: number } {
  const size = slice(content, at, 8).readUInt32LE(4);
  const whole = slice(content, at, 8 + size + (size % 2));
  return { type: whole.toString('latin1', 0, 4), data: whole.subarray(8, 8 + size), length: whole.length };
}

function chunkOf(type: string, data: Buffer): Buffer {
  const head = Buffer.from(`${type}\0\0\0\0`, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
}

function riff(parts: Buffer[]): Buffer {
  const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  head.writeUInt32LE(4 + parts.reduce((sum, part) => sum + part.length, 0), 4);
  return head;
}
