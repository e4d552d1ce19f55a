import type { Knex } from 'knex';
import { createCountryFinder } from '../addresses/countries.ts';
import { addressFile } from '../addresses/load.ts';
import { importAnimals } from './animals.ts';
import { importOptions } from './options.ts';
import { importPins } from './pins.ts';
import { BadLines, type Findings, type Remark } from './problems.ts';
import { importQuestions } from './questions.ts';
import type { Summary } from './summary.ts';

/** Paths of the files to import; `api/example` shows the formats. `-` is standard input. */
export type Files = { animals?: string; questions?: string; options?: string; pins?: string };

export type Imported = { summaries: Summary[]; warnings: Remark[] };

// An arbitrary constant that every release must share.
const lockKey = 7_021_005;

/**
 * Imports files: all of them, or none if any file has an invalid line. Rows that already exist are not added again. The
 * numbers in the options file refer to the questions in the questions file or, without one, to those in the database in
 * the order of their ids. Throws `BadLines` and `UnreadableFile`.
 */
export function importFiles(db: Knex, files: Files): Promise<Imported> {
  return db.transaction(async (transaction) => {
    await transaction.raw(`select pg_advisory_xact_lock(${lockKey})`);
    const findings: Findings = { problems: [], warnings: [] };
    const summaries: Summary[] = [];
    let questionIds: number[] | undefined;
    if (files.animals) summaries.push(await importAnimals(transaction, files.animals, findings));
    if (files.questions) {
      const { ids, ...summary } = await importQuestions(transaction, files.questions, findings);
      questionIds = ids;
      summaries.push(summary);
    }
    if (files.options) {
      questionIds ??= await transaction('question').orderBy('id').pluck('id');
      summaries.push(await importOptions(transaction, files.options, findings, questionIds));
    }
    if (files.pins) {
      const findCountries = createCountryFinder(addressFile);
      summaries.push(await importPins(transaction, files.pins, findings, findCountries));
    }
    if (findings.problems.length > 0) throw new BadLines(findings.problems);
    return { summaries, warnings: findings.warnings };
  });
}
