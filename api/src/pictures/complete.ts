import { setTimeout as wait } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Log } from '../log.ts';
import { BadPicture, type Picture } from './picture.ts';
import type { Pictures } from './pictures.ts';
import { storePicture } from './store.ts';

/**
 * Converts the pictures that have no sizes, which earlier releases stored as they were uploaded, one after the other and
 * with pauses as long as the work. Their bytes change, and so do their paths. A picture that cannot be decoded stays as it
 * is and is logged. Two workers at it do some of the work twice, and no harm. Returns how many it converted.
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

/** Animals and cities that have the picture get the new one. Writing to the animals also changes the state that clients' copies of the list are checked against. */
async function replace(db: Knex, id: number, picture: Picture): Promise<void> {
  await db.transaction(async (transaction) => {
    const picture_id = await storePicture(transaction, picture);
    await transaction('animal').where({ picture_id: id }).update({ picture_id });
    await transaction('city_picture').where({ picture_id: id }).update({ picture_id });
    if (picture_id !== id) await transaction('picture').where({ id }).delete();
  });
}
