import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { BadField } from './problems.ts';

export type Picture = { sha256: string; media_type: string; bytes: Buffer };

/** All animals' pictures travel in one answer, so none may be large. */
export const LARGEST_PICTURE_BYTES = 2_000_000;

/** The media type by what the bytes begin with; undefined if they are no picture that every browser shows. */
export function pictureType(bytes: Buffer): string | undefined {
  const beginning = bytes.toString('latin1', 0, 12);
  if (beginning.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (beginning.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (/^GIF8[79]a/.test(beginning)) return 'image/gif';
  if (/^RIFF[^]{4}WEBP/.test(beginning)) return 'image/webp';
  return undefined;
}

/**
 * Reads the picture at a path relative to `folder`; undefined if there is none. Throws `BadField` if the path leads
 * out of the folder (links followed), or if what is there is no picture or too large.
 */
export async function readPicture(folder: string, path: string): Promise<Picture | undefined> {
  if (!isWithin(folder, join(folder, path)) || isAbsolute(path)) throw new BadField(outside(path));
  const file = await realpath(join(folder, path)).catch(() => undefined);
  if (file === undefined) return undefined;
  if (!isWithin(await realpath(folder), file)) throw new BadField(outside(path));

  const { size } = await stat(file);
  if (size > LARGEST_PICTURE_BYTES) {
    throw new BadField(`the picture ${path} has ${size} bytes, the most is ${LARGEST_PICTURE_BYTES}`);
  }
  const bytes = await readFile(file);
  const mediaType = pictureType(bytes);
  if (!mediaType) throw new BadField(`${path} is no picture (JPEG, PNG, GIF or WebP)`);
  return { sha256: createHash('sha256').update(bytes).digest('hex'), media_type: mediaType, bytes };
}

function isWithin(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way.split('/')[0] !== '..';
}

function outside(path: string): string {
  return `the picture ${path} lies outside the file's folder; put it beside the file`;
}
