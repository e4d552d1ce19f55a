import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { migrate } from '../database/migrate.ts';
import { importFiles } from '../import/import.ts';

const example = fileURLToPath(new URL('../../example', import.meta.url));

/** Prepares the embedded database: migrates it, because no deploy does, and imports the example data if it is empty. */
export async function prepareEmbedded(db: Knex): Promise<void> {
  await migrate(db);
  const { rows } = await db.raw<{ rows: [{ empty: boolean }] }>(
    'select not (exists (select from pin) or exists (select from animal) or exists (select from question)) as empty',
  );
  if (!rows[0].empty) return;
  await importFiles(db, {
    animals: `${example}/AnimalLocations.csv`,
    questions: `${example}/questions.txt`,
    options: `${example}/options.txt`,
    pins: `${example}/pins.csv`,
  });
}
