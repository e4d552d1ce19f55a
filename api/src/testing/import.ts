import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Files, type Imported, importFiles } from '../import/import.ts';
import { BadLines } from '../import/problems.ts';
import { emptyTables, freshDatabase, type TestDatabase } from './database.ts';

const exampleFolder = fileURLToPath(new URL('../../example/', import.meta.url));

export const examplePicture = join(exampleFolder, 'static/pebble.jpg');

export const exampleFiles: Files = {
  animals: join(exampleFolder, 'AnimalLocations.csv'),
  questions: join(exampleFolder, 'questions.txt'),
  options: join(exampleFolder, 'options.txt'),
  pins: join(exampleFolder, 'pins.csv'),
};

/** Header lines of the files. */
export const animalsHeader =
  'animal_name,animal_type,location_name,placement_year,animal_notes,lat,long,animal_images\n';
export const pinsHeader = 'lat,long,city,state,country,visit_date\n';

export type Importing = {
  database: TestDatabase;
  /** Contains the picture static/seal.jpg. */
  folder: string;
  /** Writes a file in the folder and returns its path. */
  write: (name: string, content: string | Buffer) => Promise<string>;
  counts: () => Promise<Record<string, number>>;
  bring: (files: Files) => Promise<Imported>;
  /** Imports one file and returns how many rows were added. */
  addedOf: (files: Files) => Promise<number | undefined>;
  /** Imports invalid files, and returns the lines of the error message. */
  problemsOf: (files: Files) => Promise<string[]>;
};

/** Provides a database and a folder for the tests of a `describe`. Both are emptied before every test. */
export function useImport(): Importing {
  const bring = (files: Files) => importFiles(importing.database.db, files);
  const importing: Importing = {
    database: {} as TestDatabase,
    folder: '',
    async write(name, content) {
      await writeFile(join(importing.folder, name), content);
      return join(importing.folder, name);
    },
    async counts() {
      const { rows } = await importing.database.db.raw(`select
        (select count(*)::int from animal) animals, (select count(*)::int from picture) pictures,
        (select count(*)::int from question) questions, (select count(*)::int from option) options,
        (select count(*)::int from pin) pins,
        (select coalesce(sum(total), 0)::int from pin_tally where state is null and city is null) tallied`);
      return rows[0];
    },
    bring,
    addedOf: async (files) => (await bring(files)).summaries[0]?.added,
    async problemsOf(files) {
      const before = await importing.counts();
      const error = await bring(files).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      expect(error).to.be.instanceOf(BadLines);
      expect(await importing.counts()).to.deep.equal(before);
      return (error as Error).message.split('\n');
    },
  };
  before(async function () {
    this.timeout(120_000);
    importing.database = await freshDatabase();
  });
  after(() => importing.database.close());
  beforeEach(async () => {
    await emptyTables(importing.database.db);
    importing.folder = await mkdtemp(join(tmpdir(), 'map-app-import-'));
    await mkdir(join(importing.folder, 'static'));
    await copyFile(examplePicture, join(importing.folder, 'static/seal.jpg'));
  });
  afterEach(() => rm(importing.folder, { recursive: true }));
  return importing;
}
