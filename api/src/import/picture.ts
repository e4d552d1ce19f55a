import { readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { BadPicture } from '../pictures/cleaned.ts';
import { checkBytes, type Picture, pictureOf } from '../pictures/picture.ts';
import { BadField } from './problems.ts';

/**
 * Reads the picture at a path relative to `folder`; undefined if there is none. Throws `BadField` if the path leads
 * out of the folder (links followed), or if what is there is no picture or too large.
 */
export async function readPicture(folder: string, path: string): Promise<Picture | undefined> {
  if (!isWithin(folder, join(folder, path)) || isAbsolute(path)) throw new BadField(outside(path));
  const file = await realpath(join(folder, path)).catch(() => undefined);
  if (file === undefined) return undefined;
  if (!isWithin(await realpath(folder), file)) throw new BadField(outside(path));
  try {
    checkBytes((await stat(file)).size);
    return pictureOf(await readFile(file));
  } catch (error) {
    if (!(error instanceof BadPicture)) throw error;
    throw new BadField(`the picture ${path} ${error.message}`);
  }
}

function isWithin(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way.split('/')[0] !== '..';
}

function outside(path: string): string {
  return `the picture ${path} lies outside the file's folder; put it beside the file`;
}
