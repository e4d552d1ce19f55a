import type { Knex } from 'knex';
import type { AnimalRow } from '../database/tables.ts';
import type { Picture } from '../pictures/picture.ts';
import { pictureUrl, storePicture } from '../pictures/store.ts';
import { drawSeaLion } from './default-picture.ts';
import type { Animal, Place } from './schema.ts';

export type AnimalStore = ReturnType<typeof animalStore>;

export type NewRow = Omit<AnimalRow, 'id' | 'picture_id'>;

/** Without a picture, browsers show a broken image. */
const defaultPicture = drawSeaLion().toString('base64');

type Row = NewRow & { picture: string | null; sha256: string | null };

export function animalStore(db: Knex) {
  const rows = () =>
    db('animal').leftJoin('picture', 'picture.id', 'animal.picture_id').orderBy('animal.id').select<Row[]>(
      'latitude',
      'longitude',
      'name',
      'location_name',
      'placement_year',
      'type',
      'notes',
      'sha256',
      // PostgreSQL breaks base64 into lines of 76, as in mail.
      db.raw("translate(encode(bytes, 'base64'), e'\\n', '') as picture"),
    );
  return {
    all: async () => (await rows()).map(animalOf),
    at: async (place: Place) => (await rows().where(place)).map(animalOf),

    /** Stores an animal with its picture. False, and nothing is stored, if there is one of its name at its point. */
    add: (animal: NewRow, picture: Picture | null): Promise<boolean> =>
      db.transaction(async (transaction) => {
        const added = await transaction('animal')
          .insert(animal)
          .onConflict(['name', 'latitude', 'longitude'])
          .ignore()
          .returning('id');
        if (added.length === 0) return false;
        if (picture) {
          const picture_id = await storePicture(transaction, picture);
          await transaction('animal').where({ id: added[0]!.id }).update({ picture_id });
        }
        return true;
      }),
  };
}

function animalOf(row: Row): Animal {
  return {
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
