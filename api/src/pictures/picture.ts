import { createHash } from 'node:crypto';
import { BadPicture, type Cleaned } from './cleaned.ts';
import { cleanGif } from './gif.ts';
import { cleanJpeg } from './jpeg.ts';
import { cleanPng } from './png.ts';
import { cleanWebp } from './webp.ts';

/** A picture as it is stored: of a kind that every browser shows, bounded in size, without metadata. */
export type Picture = { sha256: string; media_type: string; bytes: Buffer };

/** All animals' pictures travel in one answer, so none may be large. */
export const MOST_BYTES = 2_000_000;
/** As a good telephone's camera makes them. What a viewer decodes is four bytes a pixel, however small the file. */
const MOST_PIXELS = 16_000_000;
const LONGEST_SIDE = 10_000;

const kinds: { media_type: string; begins: RegExp; clean: (bytes: Buffer) => Cleaned }[] = [
  { media_type: 'image/jpeg', begins: /^\xff\xd8\xff/, clean: cleanJpeg },
  { media_type: 'image/png', begins: /^\x89PNG\r\n[^]\n/, clean: cleanPng },
  { media_type: 'image/gif', begins: /^GIF8[79]a/, clean: cleanGif },
  { media_type: 'image/webp', begins: /^RIFF[^]{4}WEBP/, clean: cleanWebp },
];

/** Of the kinds of pictures that are stored. */
export const mediaTypes = kinds.map(({ media_type }) => media_type);

/**
 * Makes a file what is stored of it. Its kind is told by its content. Nothing is decoded: headers say how large a picture would become,
 * so that one that would fill the memory costs no more than any other. Throws `BadPicture` for what is no picture, damaged or too large.
 */
export function pictureOf(file: Buffer): Picture {
  checkBytes(file.length);
  const beginning = file.toString('latin1', 0, 12);
  const kind = kinds.find(({ begins }) => begins.test(beginning));
  if (!kind) throw new BadPicture('type', 'is no picture (JPEG, PNG, GIF or WebP)');
  const { width, height, pixels, parts } = cleaned(kind.clean, file);
  if (width === 0 || height === 0) throw new BadPicture('damage', 'is damaged');
  if (pixels > MOST_PIXELS || Math.max(width, height) > LONGEST_SIDE) {
    const most = `the most is ${MOST_PIXELS / 1e6} million, and ${LONGEST_SIDE} a side`;
    throw new BadPicture('size', `is ${width} by ${height} pixels, ${pixels} in all; ${most}`);
  }
  const bytes = Buffer.concat(parts);
  return { sha256: createHash('sha256').update(bytes).digest('hex'), media_type: kind.media_type, bytes };
}

/** Throws `BadPicture` if a file has too many bytes, which is known before it is read. */
export function checkBytes(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  throw new BadPicture('size', `has ${bytes} bytes, the most is ${MOST_BYTES}`);
}

function cleaned(clean: (bytes: Buffer) => Cleaned, file: Buffer): Cleaned {
  try {
    return clean(file);
  } catch (error) {
    // A number was looked for where there is none.
    if (error instanceof RangeError) throw new BadPicture('damage', 'is damaged');
    throw error;
  }
}
