import type { Knex } from 'knex';
import { listedWidth, mediaType, type Picture } from './picture.ts';

export type PictureStore = ReturnType<typeof pictureStore>;

/** A stored file. `sha256` is the digest of the picture, regardless of the size of this file. */
export type StoredPicture = { sha256: string; media_type: string; bytes: Uint8Array };

export type Wanted = { width: number | undefined; acceptsWebp: boolean };

export function pictureStore(db: Knex) {
  return {
    /** Returns the picture with this digest in the wanted width, or whole without a width. */
    find: (sha256: string, wanted: Wanted) => findPicture(db, { sha256 }, wanted),
    /** Returns the picture of an animal: null if it has none, undefined if the animal does not exist. */
    async ofAnimal(id: number, wanted: Wanted): Promise<StoredPicture | null | undefined> {
      const animal = await db('animal').where({ id }).first('picture_id');
      if (!animal) return undefined;
      return animal.picture_id === null
        ? null
        : ((await findPicture(db, { id: animal.picture_id }, wanted)) ?? null);
    },
  };
}

/** Pictures of earlier releases have no sizes until they are converted (complete.ts), and are returned whole. */
async function findPicture(
  db: Knex,
  which: { id: number } | { sha256: string },
  { width, acceptsWebp }: Wanted,
): Promise<StoredPicture | undefined> {
  const picture = await db('picture').where(which).first('id', 'sha256', 'media_type');
  if (!picture) return undefined;
  const { id, sha256, media_type } = picture;
  const size =
    width !== undefined &&
    (await db('picture_size')
      .where({ picture_id: id, width, media_type: acceptsWebp ? 'image/webp' : mediaType })
      .first('media_type', 'bytes'));
  if (size) return { sha256, ...size };
  const whole = await db('picture').where({ id }).first('bytes');
  return whole && { sha256, media_type, bytes: whole.bytes };
}

/** Stores a picture with its sizes and returns its id. Equal pictures are stored once. */
export async function storePicture(db: Knex, { sizes, ...picture }: Picture): Promise<number> {
  await db('picture').insert(picture).onConflict('sha256').ignore();
  const stored = await db('picture').where({ sha256: picture.sha256 }).first('id');
  const picture_id = stored!.id;
  await db('picture_size')
    .insert(sizes.map((size) => ({ picture_id, ...size })))
    .onConflict()
    .ignore();
  return picture_id;
}

/** Deletes pictures that no animal or city uses. */
export async function removeUnusedPictures(db: Knex, ids: number[]): Promise<void> {
  await db('picture')
    .whereIn('id', ids)
    .whereNotExists((other) => void other.from('animal').whereRaw('picture_id = picture.id'))
    .whereNotExists((other) => void other.from('city_picture').whereRaw('picture_id = picture.id'))
    .delete();
}

/**
 * SQL for the bytes of a picture within JSON, for a query of `from`, which has a column `picture_id`: in the listed
 * width, or whole if it has no sizes yet.
 */
export const listedBytes = (from: 'animal' | 'city_picture'): string => `coalesce(
  (select bytes from picture_size size where size.picture_id = ${from}.picture_id and width = ${listedWidth} and size.media_type = '${mediaType}'),
  (select bytes from picture where picture.id = ${from}.picture_id))`;

/** Returns the path at which a picture is served as a file. */
export function pictureUrl(sha256: string): string {
  return `/api/pictures/${sha256}`;
}
