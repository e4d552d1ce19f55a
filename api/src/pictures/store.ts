import type { Knex } from 'knex';
import type { Picture } from './picture.ts';

export type PictureStore = ReturnType<typeof pictureStore>;

export function pictureStore(db: Knex) {
  return {
    find: (sha256: string) => db('picture').where({ sha256 }).first('media_type', 'bytes'),
  };
}

/** Stores a picture, once however often it comes, and answers its id. */
export async function storePicture(db: Knex, picture: Picture): Promise<number> {
  await db('picture').insert(picture).onConflict('sha256').ignore();
  const stored = await db('picture').where({ sha256: picture.sha256 }).first('id');
  return stored!.id;
}

/** The path at which a picture is answered as a file. */
export function pictureUrl(sha256: string): string {
  return `/api/pictures/${sha256}`;
}
