import type { Knex } from 'knex';
import type { Animal, Place } from './schema.ts';

export type AnimalStore = ReturnType<typeof animalStore>;

type Row = {
  latitude: number;
  longitude: number;
  name: string;
  location_name: string;
  placement_year: number | null;
  type: string;
  notes: string;
  picture: string | null;
};

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
      // PostgreSQL breaks base64 into lines of 76, as in mail.
      db.raw("translate(encode(bytes, 'base64'), e'\\n', '') as picture"),
    );
  return {
    all: async () => (await rows()).map(animalOf),
    at: async (place: Place) => (await rows().where(place)).map(animalOf),
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
    animal_images: row.picture ?? '',
  };
}
