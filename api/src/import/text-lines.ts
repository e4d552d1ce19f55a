import { readFile } from 'node:fs/promises';
import { UnreadableFile } from './problems.ts';

/** Yields the lines of a text file that aren't blank, whatever ends them. Throws `UnreadableFile`. */
export async function* readLines(file: string): AsyncGenerator<{ line: number; text: string }> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UnreadableFile(file, cause);
  });
  const lines = content.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [i, text] of lines.entries()) {
    if (text.trim() !== '') yield { line: i + 1, text };
  }
}
