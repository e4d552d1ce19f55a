import type { Knex } from 'knex';
import type { AnimalRow } from '../database/tables.ts';
import type { Picture } from '../pictures/picture.ts';
import { shippedPicture } from '../pictures/shipped.ts';
import { listedBytes, pictureUrl, removeUnusedPictures, storePicture } from '../pictures/store.ts';
import type { Animal, Place } from './schema.ts';

export type AnimalStore = ReturnType<typeof animalStore>;

export type NewRow = Omit<AnimalRow, 'id' | 'picture_id'>;

/** Without a picture, browsers show a broken image. */
const defaultPicture = shippedPicture('sea-lion.png').toString('base64');

type Row = NewRow & { id: number } & { picture: string | null; sha256: string | null };

export function animalStore(db: Knex) {
  const rows = (from = db) =>
    from('animal')
      .leftJoin('picture', 'picture.id', 'animal.picture_id')
      .orderBy('animal.id')
      .select<Row[]>(
        'animal.id',
        'latitude',
        'longitude',
        'name',
        'location_name',
        'placement_year',
        'type',
        'notes',
        'sha256',
        // PostgreSQL breaks base64 into lines of 76, as in mail.
        db.raw(`translate(encode(${listedBytes('animal')}, 'base64'), e'\\n', '') as picture`),
      );
  return {
    all: async () => (await rows()).map(animalOf),
    at: async (place: Place) => (await rows().where(place)).map(animalOf),

    /** Stores an animal with its picture and returns its id. Returns undefined and stores nothing if its point already has an animal of this name. */
    add: (animal: NewRow, picture: Picture | null): Promise<number | undefined> =>
      db.transaction(async (transaction) => {
        const added = await transaction('animal')
          .insert(animal)
          .onConflict(['name', 'latitude', 'longitude'])
          .ignore()
          .returning('id');
        if (added.length === 0) return undefined;
        if (picture) {
          const picture_id = await storePicture(transaction, picture);
          await transaction('animal').where({ id: added[0]!.id }).update({ picture_id });
        }
        return added[0]!.id;
      }),

    /**
     * Changes an animal. `picture` is the new picture, null to remove it, or undefined to keep it. Returns the changed animal, or
     * undefined if the id is unknown. Rejects if another animal at its point has its name.
     */
    change: (
      id: number,
      change: Partial<NewRow>,
      picture: Picture | null | undefined,
    ): Promise<Animal | undefined> =>
      db.transaction(async (transaction) => {
        const before = await transaction('animal').where({ id }).forUpdate().first('picture_id');
        if (!before) return undefined;
        const picture_id = picture ? await storePicture(transaction, picture) : picture;
        await transaction('animal')
          .where({ id })
          .update({ ...change, ...(picture_id !== undefined && { picture_id }) });
        await removeUnused(transaction, before.picture_id);
        return animalOf((await rows(transaction).where('animal.id', id).first())!);
      }),

    /** Deletes an animal, and its picture if no other animal or city uses it. Returns whether the animal existed. */
    remove: (id: number): Promise<boolean> =>
      db.transaction(async (transaction) => {
        const [removed] = await transaction('animal').where({ id }).delete('picture_id');
        if (removed) await removeUnused(transaction, removed.picture_id);
        return removed !== undefined;
      }),
  };
}

async function removeUnused(db: Knex, picture: number | null): Promise<void> {
  if (picture !== null) await removeUnusedPictures(db, [picture]);
}

function animalOf(row: Row): Animal {
  return {
    id: row.id,
    coordinates: { latitude: row.latitude, longitude: row.longitude },
    animal_name: row.name,
    location_name: row.location_name,
    placement_year: row.placement_year,
    animal_type: row.type,
    animal_notes: row.notes,
    animal_images: row.picture ?? defaultPicture,
    picture_url: row.sha256 === null ? null : pictureUrl(row.sha256),
  };
}
