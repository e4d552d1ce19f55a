import { dirname } from 'node:path';
import type { Knex } from 'knex';
import { longest } from '../animals/schema.ts';
import { readCsv } from '../csv/read.ts';
import type { Picture } from '../pictures/picture.ts';
import { storePicture } from '../pictures/store.ts';
import { degrees, requiredText, text, year } from './fields.ts';
import { readLines } from './lines.ts';
import { readPicture } from './picture.ts';
import { BadField, type Findings, onlyOnce, parsed, reasonOf } from './problems.ts';
import type { Summary } from './summary.ts';

const columns = [
  'animal_name',
  'animal_type',
  'location_name',
  'placement_year',
  'animal_notes',
  'lat',
  'long',
  'animal_images',
] as const;

/** The longest path on Linux, in characters. */
const longestPath = 4_095;

type Fields = Record<(typeof columns)[number], string>;

/**
 * Imports a CSV file of animals, with their pictures from the file's folder. An animal is identified by its name and
 * point. An existing animal stays unchanged, except that it gets its picture if it had none.
 */
export async function importAnimals(
  db: Knex.Transaction,
  file: string,
  findings: Findings,
): Promise<Summary> {
  const counts = { inFile: 0, added: 0 };
  const { problems, warnings } = findings;
  let missing = 0;
  let completed = 0;
  const refuseRepeated = onlyOnce();
  const animals = parsed(file, readCsv(readLines(file), columns), findings, async ({ line, fields }) => {
    const path = text('animal_images', fields.animal_images, longestPath);
    const animal = toAnimal(fields);
    refuseRepeated([animal.name, animal.latitude, animal.longitude], line);
    const picture = path === '' ? undefined : await readable(dirname(file), path);
    if (path !== '' && !picture) {
      missing++;
      warnings.push({
        file,
        line,
        text: `the picture ${path} does not exist; ${animal.name} is imported without it`,
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
  const remarks = [...pictures(missing, 'missing'), ...pictures(completed, 'added to existing animals')];
  return { what: 'animals', ...counts, remarks };
}

/** Also throws `BadField` if the system cannot read the picture. */
async function readable(folder: string, path: string): Promise<Picture | undefined> {
  try {
    return await readPicture(folder, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new BadField(`the picture ${path} cannot be read: ${reasonOf(error)}`);
  }
}

function toAnimal(fields: Fields) {
  return {
    name: requiredText('animal_name', fields.animal_name, longest.animal_name),
    type: text('animal_type', fields.animal_type, longest.animal_type),
    location_name: requiredText('location_name', fields.location_name, longest.location_name),
    placement_year: year('placement_year', fields.placement_year),
    notes: text('animal_notes', fields.animal_notes, longest.animal_notes),
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
