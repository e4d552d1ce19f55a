import type { Knex } from 'knex';
import { requiredText } from './fields.ts';
import { onlyOnce, parsed, type Remark } from './problems.ts';
import type { Summary } from './summary.ts';
import { readLines } from './text-lines.ts';

const LONGEST = 160;

/**
 * Brings in a file with a question a line, and answers their ids in the file's order. A question is told by its text:
 * one that is there already stays as it is, inactive ones too.
 */
export async function importQuestions(
  db: Knex.Transaction,
  file: string,
  problems: Remark[],
): Promise<Summary & { ids: number[] }> {
  const refuseRepeated = onlyOnce();
  let inFile = 0;
  const questions = parsed(file, readLines(file), problems, (line) => {
    inFile++;
    const text = requiredText('the question', line.text, LONGEST);
    refuseRepeated([text], line.line);
    return { text };
  });
  const rows: { text: string }[] = [];
  for await (const row of questions) rows.push(row);
  const summary = { what: 'questions', inFile, added: 0, remarks: [], warnings: [] };
  // Nothing will be stored, but options may still be checked for the number of their question.
  if (problems.length > 0) return { ...summary, ids: Array.from({ length: inFile }, () => 0) };

  const added = await db('question').insert(rows).onConflict('text').ignore().returning('id');
  const stored = await db('question').select('id', 'text');
  const idOf = new Map(stored.map(({ id, text }) => [text, id]));
  return { ...summary, added: added.length, ids: rows.map(({ text }) => idOf.get(text)!) };
}
