import type { FindAddress } from '../addresses/find.ts';
import { conflict, notFound, onDuplicate } from '../errors.ts';
import { done } from '../http/fields.ts';
import { route, type Route } from '../http/route.ts';
import { bodyWithPicture, uploadedPicture } from '../pictures/upload.ts';
import { pictureUrl } from '../pictures/store.ts';
import {
  animalAdded,
  animalChange,
  animalChanged,
  animalId,
  animals,
  newAnimal,
  newAnimalAt,
  place,
  type AnimalAdded,
  type AnimalChange,
  type AnimalChanged,
  type Described,
} from './schema.ts';
import { animalStore, type AnimalStore } from './store.ts';

const noAnimal = 'There is no such animal.';
const taken = 'There is an animal of this name at this point already.';

const refusedAnimal = {
  409: taken,
  413: 'The picture has too many bytes or pixels.',
  415: 'The picture is none of JPEG, PNG, GIF and WebP.',
  422: 'The picture is damaged.',
};

export function animalRoutes(store: AnimalStore, findAddress: FindAddress): Route[] {
  // The clients know the list under both paths.
  const lists = ['/api/animal_locations', '/api/animal_locations/address'].map((path) =>
    route(
      {
        method: 'get',
        path,
        access: 'public',
        cached: 'animals',
        summary: 'All rescued animals, with their pictures.',
        output: animals,
      },
      async () => ({ animal_locations: await store.all() }),
    ),
  );
  return [
    ...lists,
    route(
      {
        method: 'get',
        path: '/api/animal_locations/lat_long',
        access: 'public',
        cached: 'animals',
        summary: 'The rescued animals at exactly one point.',
        input: { query: place },
        output: animals,
      },
      async ({ query }) => ({ animal_locations: await store.at(query) }),
    ),
    route(
      {
        method: 'post',
        path: '/api/animal_locations',
        access: 'staff',
        summary:
          'Adds a rescued animal at a point. Its picture is stored without metadata, and refused if too large.',
        input: { body: newAnimal },
        bodyLimit: bodyWithPicture,
        output: animalAdded,
        idempotent: true,
        refuses: refusedAnimal,
      },
      ({ body: { lat, long, ...described }, db }) =>
        add(animalStore(db), { lat, long, name: null }, described),
    ),
    route(
      {
        method: 'post',
        path: '/api/animal_locations/address',
        access: 'staff',
        summary: 'Adds a rescued animal at an address, which is looked up; 422 if it is not found.',
        input: { body: newAnimalAt },
        bodyLimit: bodyWithPicture,
        output: animalAdded,
        idempotent: true,
        refuses: { ...refusedAnimal, 422: 'The address is not found, or the picture is damaged.' },
      },
      async ({ body: { address, ...described }, db }) =>
        add(animalStore(db), await findAddress(address), described),
    ),
    route(
      {
        method: 'patch',
        path: '/api/animal_locations/:id',
        access: 'staff',
        summary: 'Corrects an animal: the fields that are given. An empty picture removes the picture.',
        input: { params: animalId, body: animalChange },
        bodyLimit: bodyWithPicture,
        output: animalChanged,
        refuses: {
          ...refusedAnimal,
          404: noAnimal,
        },
      },
      ({ params, body }) => change(store, params.id, body),
    ),
    route(
      {
        method: 'delete',
        path: '/api/animal_locations/:id',
        access: 'staff',
        summary: 'Deletes an animal, and its picture if no other animal has it.',
        input: { params: animalId },
        output: done,
        refuses: { 404: noAnimal },
      },
      async ({ params }) => {
        if (!(await store.remove(params.id))) throw notFound(noAnimal);
        return { success: true, message: 'The animal is deleted.' };
      },
    ),
  ];
}

type Somewhere = { lat: number; long: number; name: string | null };

async function add(
  store: AnimalStore,
  { lat, long, name }: Somewhere,
  described: Described,
): Promise<AnimalAdded> {
  const { animal_name, location_name, placement_year, animal_type, animal_notes } = described;
  const picture = uploadedPicture('animal_images', described.animal_images);
  const animal = {
    latitude: lat,
    longitude: long,
    name: animal_name,
    location_name,
    placement_year: Number(placement_year) || null,
    type: animal_type,
    notes: animal_notes,
  };
  const id = await store.add(animal, picture);
  if (id === undefined) throw conflict(taken);
  return {
    success: true,
    message: name === null ? 'The animal is stored.' : `The animal is stored at ${name}.`,
    id,
    lat,
    long,
    animal_name,
    location_name,
    placement_year: animal.placement_year,
    animal_type,
    animal_notes,
    animal_images: picture?.bytes.toString('base64') ?? '',
    picture_url: picture && pictureUrl(picture.sha256),
  };
}

async function change(
  store: AnimalStore,
  id: number,
  { lat, long, ...fields }: AnimalChange,
): Promise<AnimalChanged> {
  const { animal_name, location_name, placement_year, animal_type, animal_notes, animal_images } = fields;
  const given = {
    latitude: lat,
    longitude: long,
    name: animal_name,
    location_name,
    placement_year: placement_year === undefined ? undefined : Number(placement_year) || null,
    type: animal_type,
    notes: animal_notes,
  };
  const picture = animal_images === undefined ? undefined : uploadedPicture('animal_images', animal_images);
  const animal = await store.change(id, defined(given), picture).catch(onDuplicate(taken));
  if (!animal) throw notFound(noAnimal);
  return { success: true, message: 'The animal is corrected.', animal };
}

function defined<Fields extends object>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
