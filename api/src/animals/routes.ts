import type { FindAddress } from '../addresses/find.ts';
import { conflict, notFound, onDuplicate } from '../http/errors.ts';
import { done } from '../http/fields.ts';
import { routesWith, type Route } from '../http/route.ts';
import { listedWidth, mediaType, type Picture } from '../pictures/picture.ts';
import { bodyWithPicture } from '../pictures/pictures.ts';
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

const route = routesWith(animalStore);

const noAnimal = 'There is no such animal.';
const taken = 'An animal with this name already exists at this point.';

const refusedAnimal = {
  409: taken,
  413: 'The picture has too many bytes or pixels.',
  415: 'The picture is not a JPEG, PNG, WebP, GIF, AVIF or TIFF file.',
  422: 'The picture is damaged or incomplete.',
};

export function animalRoutes(findAddress: FindAddress): Route[] {
  // The clients use both paths.
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
      async ({ store }) => ({ animal_locations: await store.all() }),
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
      async ({ query, store }) => ({ animal_locations: await store.at(query) }),
    ),
    route(
      {
        method: 'post',
        path: '/api/animal_locations',
        access: 'staff',
        summary: 'Adds a rescued animal at a point. Its picture is encoded again, without metadata.',
        input: { body: newAnimal },
        bodyLimit: bodyWithPicture,
        pictureIn: 'animal_images',
        output: animalAdded,
        idempotent: true,
        refuses: refusedAnimal,
      },
      ({ body: { lat, long, ...described }, picture, store }) =>
        add(store, { lat, long, name: null }, described, picture),
    ),
    route(
      {
        method: 'post',
        path: '/api/animal_locations/address',
        access: 'staff',
        summary: 'Adds a rescued animal at an address. Returns 422 if the address is not found.',
        input: { body: newAnimalAt },
        bodyLimit: bodyWithPicture,
        pictureIn: 'animal_images',
        output: animalAdded,
        idempotent: true,
        refuses: {
          ...refusedAnimal,
          422: 'The address is not found, or the picture is damaged or incomplete.',
        },
      },
      async ({ body: { address, ...described }, picture, store }) =>
        add(store, await findAddress(address), described, picture),
    ),
    route(
      {
        method: 'patch',
        path: '/api/animal_locations/:id',
        access: 'staff',
        summary: 'Corrects the given fields of an animal. An empty picture removes the picture.',
        input: { params: animalId, body: animalChange },
        bodyLimit: bodyWithPicture,
        pictureIn: 'animal_images',
        output: animalChanged,
        refuses: {
          ...refusedAnimal,
          404: noAnimal,
        },
      },
      ({ params, body, picture, store }) => change(store, params.id, body, picture),
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
      async ({ params, store }) => {
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
  picture: Picture | null,
): Promise<AnimalAdded> {
  const { animal_name, location_name, placement_year, animal_type, animal_notes } = described;
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
    animal_images: picture ? listed(picture).toString('base64') : '',
    picture_url: picture && pictureUrl(picture.sha256),
  };
}

async function change(
  store: AnimalStore,
  id: number,
  { lat, long, ...fields }: AnimalChange,
  picture: Picture | null,
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
  const changed = animal_images === undefined ? undefined : picture;
  const animal = await store.change(id, defined(given), changed).catch(onDuplicate(taken));
  if (!animal) throw notFound(noAnimal);
  return { success: true, message: 'The animal is corrected.', animal };
}

/** Returns the bytes of a picture as they appear in lists. */
function listed({ sizes }: Picture): Buffer {
  return sizes.find(({ width, media_type }) => width === listedWidth && media_type === mediaType)!.bytes;
}

function defined<Fields extends object>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
