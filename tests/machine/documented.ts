import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/command.ts';

/** Returns all code blocks of a document, without indentation. */
function blocks(text: string): string[] {
  return [...text.matchAll(/^( *)```\w+\n(.*?)\n\1```$/gms)].map(([, indent, code]) =>
    code!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/**
 * Returns the first command in a document that matches: a line of a code block, or code in a sentence or table. Tests take their commands from
 * the documents, so that they fail if a document is wrong.
 * @param document path in the repository
 * @param like pattern of the command; lines of code blocks come before code in sentences
 * @throws Error if no command matches
 */
export function documented(document: string, like: RegExp): string {
  const text = readFileSync(join(root, document), 'utf8');
  const commands = blocks(text).flatMap((block) =>
    block
      .replaceAll(/ *\\\n */g, ' ')
      .replaceAll(/^\$ /gm, '')
      .split('\n'),
  );
  const spans = [...text.replaceAll(/^ *```.*?^ *```$/gms, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code]) => code!,
  );
  const found = [...commands, ...spans].find((code) => like.test(code));
  if (found === undefined) throw new Error(`${document} has no command that matches ${like}.`);
  return found;
}

/** Returns the first code block of a document that matches. Throws if there is none. */
export function documentedBlock(document: string, like: RegExp): string {
  const found = blocks(readFileSync(join(root, document), 'utf8')).find((code) => like.test(code));
  if (found === undefined) throw new Error(`${document} has no code block that matches ${like}.`);
  return found;
}
