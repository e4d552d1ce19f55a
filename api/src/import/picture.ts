import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { pictureOf } from '../pictures/isolated.ts';
import { BadPicture, checkBytes, type Picture } from '../pictures/picture.ts';
import { BadField } from './problems.ts';

/**
 * Reads the picture at a path relative to `folder`. Returns undefined if it does not exist. The path may come from
 * another system: with `\`, in another Unicode form, or in another case. Throws `BadField` if the path leads out of the
 * folder (after following links), or if the file is not a picture or is too large. Throws the system's error if the
 * file cannot be read.
 */
export async function readPicture(folder: string, path: string): Promise<Picture | undefined> {
  const portable = path.replaceAll('\\', '/');
  if (!isWithin(folder, join(folder, portable)) || isAbsolute(portable) || /^[a-z]:/i.test(portable)) {
    throw new BadField(outside(path));
  }
  const named = await matching(folder, relative('.', portable).split('/'));
  const file = named && (await realpath(named).catch(() => undefined));
  if (file === undefined) return undefined;
  if (!isWithin(await realpath(folder), file)) throw new BadField(outside(path));
  try {
    checkBytes((await stat(file)).size);
    return await pictureOf(await readFile(file));
  } catch (error) {
    if (!(error instanceof BadPicture)) throw error;
    throw new BadField(`the picture ${path} ${error.message}`);
  }
}

/** Resolves a path name by name; undefined if it does not exist. An exact match takes precedence. */
async function matching(folder: string, names: string[]): Promise<string | undefined> {
  let path = folder;
  for (const name of names) {
    const entries = await readdir(path).catch(() => []);
    const alike = entries.filter((entry) => plain(entry) === plain(name)).toSorted();
    const found = alike.find((entry) => entry === name) ?? alike[0];
    if (found === undefined) return undefined;
    path = join(path, found);
  }
  return path;
}

const plain = (name: string): string => name.normalize('NFC').toLowerCase();

function isWithin(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way.split('/')[0] !== '..';
}

function outside(path: string): string {
  return `the picture ${path} is outside the file's folder; move it into that folder`;
}
