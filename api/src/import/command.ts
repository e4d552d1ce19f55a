import { parseArgs } from 'node:util';
import type { Command } from '../command.ts';
import { readConfig } from '../config.ts';
import { demandRoom } from '../database/disk.ts';
import { openForCommand } from '../database/open.ts';
import { type Files, type Imported, importFiles } from './import.ts';
import { BadLines, firstOf, standardInput, UnreadableFile } from './problems.ts';

const help = `Usage: map-app import [--animals FILE.csv] [--questions FILE] [--options FILE] [--pins FILE.csv]

Imports files into the database: all of them, or nothing if any file has an invalid line.
Rows that already exist are not added again, so a file may be imported twice.

  --animals    animal_name,animal_type,location_name,placement_year,animal_notes,lat,long,animal_images;
               the last is a picture's path, relative to the file's folder. A missing picture is a warning.
  --questions  one question per line
  --options    one option per line: the number of its question, a comma, its text. Question 1 is the
               first in the --questions file or, without it, the first in the database.
  --pins       lat,long,city,state,country,visit_date (ISO 8601, UTC unless it has a zone).
               A country may be a code or a common name: DE, USA, Deutschland.

The first line of a CSV file names its columns, in any order. Fields are separated by commas,
semicolons or tabs. Save a spreadsheet as "CSV UTF-8"; Excel's "Unicode Text" works too.
FILE may be - for standard input. Up to 20 problems are printed, with their line numbers.
Without DATABASE_URL the files go into the embedded database of "npm start".

Example: map-app import --animals AnimalLocations.csv --pins pins.csv
`;

export const importCommand: Command = {
  summary: 'import animals, questions, options and pins from files',
  run,
};

async function run(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(help);
    return 0;
  }
  const files = filesIn(args);
  if (typeof files === 'string') {
    process.stderr.write(`${files}\n\n${help}`);
    return 2;
  }
  const { database: place, disk } = readConfig(process.env);
  await demandRoom(disk);
  const database = await openForCommand(place);
  try {
    report(await importFiles(database.db, files));
    return 0;
  } catch (error) {
    if (!(error instanceof BadLines) && !(error instanceof UnreadableFile)) throw error;
    process.stderr.write(`${error.message}\nNothing was changed.\n`);
    return error instanceof BadLines ? 1 : 2;
  } finally {
    await database.close();
  }
}

/** Parses the file arguments. Returns a message if they are wrong. */
function filesIn(args: string[]): Files | string {
  const file = { type: 'string', multiple: true } as const;
  try {
    const options = { animals: file, questions: file, options: file, pins: file };
    const named = Object.entries(parseArgs({ args, options }).values);
    for (const [option, files] of named) {
      if (files.length > 1) return `Name one file for --${option}, and import the others after it.`;
      if (files[0] === '') return `--${option} needs a file name, but the name is empty.`;
    }
    if (named.length === 0) return 'Name at least one file to import.';
    if (named.filter(([, files]) => files[0] === standardInput).length > 1)
      return 'Only one file can be standard input (-).';
    return Object.fromEntries(named.map(([option, files]) => [option, files[0]!]));
  } catch (error) {
    return (error as Error).message;
  }
}

function report({ summaries, warnings }: Imported): void {
  for (const warning of firstOf(warnings, 'warnings')) process.stderr.write(`Warning: ${warning}.\n`);
  for (const { what, inFile, added, remarks } of summaries) {
    const parts = [`${inFile} in file`, `${added} added`, `${inFile - added} already there`, ...remarks];
    process.stdout.write(`${what}: ${parts.join(', ')}\n`);
  }
}
