import type { Knex } from 'knex';
import { longest } from '../survey/schema.ts';
import { requiredText } from './fields.ts';
import { lastCell, readRows } from './lines.ts';
import { type Findings, onlyOnce, parsed } from './problems.ts';
import type { Summary } from './summary.ts';

/**
 * Imports a file with one question per line, and returns their ids in the order of the file. A question is identified
 * by its text. An existing question stays unchanged, even if it is inactive.
 */
export async function importQuestions(
  db: Knex.Transaction,
  file: string,
  findings: Findings,
): Promise<Summary & { ids: number[] }> {
  const refuseRepeated = onlyOnce();
  let inFile = 0;
  const questions = parsed(file, readRows(file), findings, (line) => {
    inFile++;
    const text = requiredText('the question', lastCell(line.text), longest.question);
    refuseRepeated([text], line.line);
    return { text };
  });
  const rows: { text: string }[] = [];
  for await (const row of questions) rows.push(row);
  const summary = { what: 'questions', inFile, added: 0, remarks: [] };
  // Nothing will be stored, but the question numbers of the options can still be checked.
  if (findings.problems.length > 0) return { ...summary, ids: Array.from({ length: inFile }, () => 0) };

  const added = await db('question').insert(rows).onConflict('text').ignore().returning('id');
  const stored = await db('question').select('id', 'text');
  const idOf = new Map(stored.map(({ id, text }) => [text, id]));
  return { ...summary, added: added.length, ids: rows.map(({ text }) => idOf.get(text)!) };
}
