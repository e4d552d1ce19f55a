import { setTimeout as wait } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Log } from '../log.ts';
import { BadPicture, type Picture } from './picture.ts';
import type { Pictures } from './pictures.ts';
import { storePicture } from './store.ts';

/**
 * Converts the pictures without sizes, which earlier releases stored as uploaded. Converts one at a time and pauses as
 * long as each conversion took. The bytes of a picture change, and so does its path. A picture that cannot be decoded
 * is logged and kept. Two workers may do some of the work twice, which is harmless. Returns the number of converted
 * pictures.
 */
export async function completePictures(
  db: Knex,
  pictures: Pictures,
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const failed: number[] = [];
  let completed = 0;
  while (!signal.aborted) {
    const before = await db('picture')
      .whereNotExists((sizes) => void sizes.from('picture_size').whereRaw('picture_id = picture.id'))
      .whereNotIn('id', failed)
      .orderByRaw('random()')
      .first('id', 'bytes');
    if (!before) break;
    const started = performance.now();
    try {
      await replace(db, before.id, await pictures.of(Buffer.from(before.bytes)));
      completed++;
    } catch (error) {
      if (!(error instanceof BadPicture)) throw error;
      failed.push(before.id);
      log.warn('a stored picture cannot be converted', { id: before.id, cause: error.message });
    }
    await wait(performance.now() - started, undefined, { signal }).catch(() => undefined);
  }
  return completed;
}

/**
 * Replaces a picture for the animals and cities that have it. Writing to the animals also changes the state by which
 * clients validate their copies of the list.
 */
async function replace(db: Knex, id: number, picture: Picture): Promise<void> {
  await db.transaction(async (transaction) => {
    const picture_id = await storePicture(transaction, picture);
    await transaction('animal').where({ picture_id: id }).update({ picture_id });
    await transaction('city_picture').where({ picture_id: id }).update({ picture_id });
    if (picture_id !== id) await transaction('picture').where({ id }).delete();
  });
}
