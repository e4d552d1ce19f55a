import { damaged, pieceCounter, slice, type Cleaned } from './cleaned.ts';

type Form = { head: Buffer; length: number };

/** A frame's time and transparency: one block of four bytes. */
const graphicControl: Form = { head: Buffer.from([0x21, 0xf9, 4]), length: 8 };
/** How often an animation repeats: one block of three bytes. */
const loops: Form = {
  head: Buffer.from('!\xff\x0bNETSCAPE2.0\x03\x01', 'latin1'),
  length: 19,
};

/** A GIF file (CompuServe, GIF89a) with its frames and their times, but without texts, metadata and whatever follows its end. Throws `BadPicture`. */
export function cleanGif(bytes: Buffer): Cleaned {
  const screen = slice(bytes, 6, 7);
  const [width, height] = [screen.readUInt16LE(0), screen.readUInt16LE(2)];
  let at = 13 + colourTable(screen[4]);
  const parts = [slice(bytes, 0, at)];
  let pixels = 0;
  // Kept only once its frame follows.
  let control: Buffer[] = [];
  let hasLoops = false;
  const count = pieceCounter();
  for (;;) {
    const start = at;
    count();
    const block = bytes[at];
    if (block === 0x3b) break;
    if (block === 0x21) {
      at = endOfData(bytes, at + 2);
      const extension = bytes.subarray(start, at);
      if (has(graphicControl, extension)) control = [extension];
      if (has(loops, extension) && !hasLoops) parts.push(extension);
      hasLoops ||= has(loops, extension);
    } else if (block === 0x2c) {
      const frame = slice(bytes, at, 10);
      pixels += frame.readUInt16LE(5) * frame.readUInt16LE(7);
      // One byte more: the size of the codes.
      at = endOfData(bytes, at + 10 + colourTable(frame[9]) + 1);
      parts.push(...control, bytes.subarray(start, at));
      control = [];
    } else {
      throw damaged();
    }
  }
  if (pixels === 0) throw damaged();
  return { width, height, pixels: Math.max(pixels, width * height), parts: [...parts, Buffer.from([0x3b])] };
}

function has({ head, length }: Form, extension: Buffer): boolean {
  return extension.length === length && extension.subarray(0, head.length).equals(head);
}

/** The bytes of the colour table that the flags announce. */
function colourTable(flags = 0): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Where the blocks of data end that begin at `at`: each is headed by its length, the last is empty. */
function endOfData(bytes: Buffer, at: number): number {
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw damaged();
    at += 1 + length;
    if (length === 0) return at;
  }
}
