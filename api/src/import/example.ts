import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { importFiles } from './import.ts';

/** Fills a new database with the small example that the project carries, so that a first start has something to show. */
export async function loadExample(db: Knex): Promise<void> {
  const path = (name: string) => fileURLToPath(new URL(`../../example/${name}`, import.meta.url));
  await importFiles(db, {
    animals: path('AnimalLocations.csv'),
    questions: path('questions.txt'),
    options: path('options.txt'),
    pins: path('pins.csv'),
  });
}
