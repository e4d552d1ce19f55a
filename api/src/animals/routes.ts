import { route, type Route } from '../http/route.ts';
import { animals, place } from './schema.ts';
import type { AnimalStore } from './store.ts';

export function animalRoutes(store: AnimalStore): Route[] {
  // The clients know the list under both paths.
  const lists = ['/api/animal_locations', '/api/animal_locations/address'].map((path) =>
    route(
      {
        method: 'get',
        path,
        access: 'public',
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
        summary: 'The rescued animals at exactly one point.',
        input: { query: place },
        output: animals,
      },
      async ({ query }) => ({ animal_locations: await store.at(query) }),
    ),
  ];
}
