import type { Knex } from 'knex';
import { createCountryFinder } from '../addresses/countries.ts';
import { addressFile } from '../addresses/load.ts';
import { importAnimals } from './animals.ts';
import { importOptions } from './options.ts';
import { importPins } from './pins.ts';
import { BadLines, type Findings, type Remark } from './problems.ts';
import { importQuestions } from './questions.ts';
import type { Summary } from './summary.ts';

/** Paths of the files to bring in; the formats are those of `api/example`. `-` is the standard input. */
export type Files = { animals?: string; questions?: string; options?: string; pins?: string };

export type Imported = { summaries: Summary[]; warnings: Remark[] };

// Any constant serves, as long as every release uses the same one.
const LOCK_KEY = 7_021_005;

/**
 * Brings files in, all of them or, where one has a bad line, none. What is there already isn't added again. The
 * options' numbers count the questions of the file beside them, or those of the database in the order they came.
 * Throws `BadLines` and `UnreadableFile`.
 */
export function importFiles(db: Knex, files: Files): Promise<Imported> {
  return db.transaction(async (transaction) => {
    await transaction.raw(`select pg_advisory_xact_lock(${LOCK_KEY})`);
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
