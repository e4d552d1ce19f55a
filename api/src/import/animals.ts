import { dirname } from 'node:path';
import type { Knex } from 'knex';
import type { Picture } from '../pictures/picture.ts';
import { storePicture } from '../pictures/store.ts';
import { readCsv } from './csv.ts';
import { degrees, requiredText, text, year } from './fields.ts';
import { readPicture } from './picture.ts';
import { onlyOnce, parsed, type Remark } from './problems.ts';
import type { Summary } from './summary.ts';

const COLUMNS = [
  'animal_name',
  'animal_type',
  'location_name',
  'placement_year',
  'animal_notes',
  'lat',
  'long',
  'animal_images',
] as const;

type Fields = Record<(typeof COLUMNS)[number], string>;

/**
 * Brings in a CSV file of animals, with their pictures from the file's folder. An animal is told by its name and
 * point: one that is there already stays as it is, except that it gets its picture if it had none.
 */
export async function importAnimals(
  db: Knex.Transaction,
  file: string,
  problems: Remark[],
): Promise<Summary> {
  const counts = { inFile: 0, added: 0 };
  const warnings: Remark[] = [];
  let completed = 0;
  const refuseRepeated = onlyOnce();
  const animals = parsed(file, readCsv(file, COLUMNS), problems, async ({ line, fields }) => {
    const path = text('animal_images', fields().animal_images);
    const animal = toAnimal(fields());
    refuseRepeated([animal.name, animal.latitude, animal.longitude], line);
    const picture = path === '' ? undefined : await readPicture(dirname(file), path);
    if (path !== '' && !picture) {
      warnings.push({
        file,
        line,
        text: `the picture ${path} isn't there; ${animal.name} goes in without it`,
      });
    }
    return { animal, picture };
  });
  for await (const { animal, picture } of animals) {
    counts.inFile++;
    if (problems.length > 0) continue;
    const { added, pictured } = await store(db, animal, picture);
    if (added) counts.added++;
    else if (pictured) completed++;
  }
  const pictures = (count: number, fate: string) =>
    count > 0 ? [`${count} ${count === 1 ? 'picture' : 'pictures'} ${fate}`] : [];
  const remarks = [
    ...pictures(warnings.length, 'missing'),
    ...pictures(completed, 'given to animals already there'),
  ];
  return { what: 'animals', ...counts, remarks, warnings };
}

function toAnimal(fields: Fields) {
  return {
    name: requiredText('animal_name', fields.animal_name),
    type: text('animal_type', fields.animal_type),
    location_name: requiredText('location_name', fields.location_name),
    placement_year: year('placement_year', fields.placement_year),
    notes: text('animal_notes', fields.animal_notes),
    latitude: degrees('lat', fields.lat, 90),
    longitude: degrees('long', fields.long, 180),
  };
}

async function store(
  db: Knex.Transaction,
  animal: ReturnType<typeof toAnimal>,
  picture: Picture | undefined,
): Promise<{ added: boolean; pictured: boolean }> {
  const { name, latitude, longitude } = animal;
  const inserted = await db('animal')
    .insert(animal)
    .onConflict(['name', 'latitude', 'longitude'])
    .ignore()
    .returning('id');
  const bare = db('animal').where({ name, latitude, longitude, picture_id: null });
  const pictured = picture !== undefined && (await bare.clone().first('id')) !== undefined;
  if (pictured) await bare.update({ picture_id: await storePicture(db, picture) });
  return { added: inserted.length > 0, pictured };
}
