import { existsSync, readFileSync } from 'node:fs';

/** Pictures that are part of the program. They were drawn for it, so no photographer's rights apply. */
export const shippedPictures = ['sea-lion.png', 'skyline.png'] as const;

/** Reads one of them: from `data/` of a release, or from this folder in a source tree. */
export function shippedPicture(name: (typeof shippedPictures)[number]): Buffer {
  const shipped = new URL(`./data/${name}`, import.meta.url);
  return readFileSync(existsSync(shipped) ? shipped : new URL(`./${name}`, import.meta.url));
}
