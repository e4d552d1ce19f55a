import type { Knex } from 'knex';
import { longest } from '../survey/schema.ts';
import { requiredText } from './fields.ts';
import { lastCell, readRows } from './lines.ts';
import { BadField, type Findings, onlyOnce, parsed } from './problems.ts';
import type { Summary } from './summary.ts';

/**
 * Imports a file with one option per line: the number of its question; a comma, a semicolon or a tab; and its text,
 * which may contain these separators. Question 1 is the first of `questionIds`. An option is identified by its question
 * and text. An existing option stays unchanged.
 */
export async function importOptions(
  db: Knex.Transaction,
  file: string,
  findings: Findings,
  questionIds: number[],
): Promise<Summary> {
  const refuseRepeated = onlyOnce();
  const options = parsed(file, readRows(file), findings, (line) => {
    const [, number, rest] = /^\s*"?(\d+)"?\s*[,;\t](.*)$/.exec(line.text) ?? [];
    if (number === undefined || rest === undefined) {
      throw new BadField('the line must begin with the number of its question and a comma, as in 2,Other');
    }
    if (Number(number) < 1 || Number(number) > questionIds.length) {
      throw new BadField(`there is no question ${number}; the highest number is ${questionIds.length}`);
    }
    const text = requiredText('the option', lastCell(rest), longest.option);
    refuseRepeated([Number(number), text], line.line);
    return { question_id: questionIds[Number(number) - 1]!, text };
  });
  const rows: { question_id: number; text: string }[] = [];
  for await (const row of options) rows.push(row);
  const summary = { what: 'options', inFile: rows.length, added: 0, remarks: [] };
  if (findings.problems.length > 0) return summary;

  const added = await db('option').insert(rows).onConflict(['question_id', 'text']).ignore().returning('id');
  return { ...summary, added: added.length };
}
