import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/command.ts';

/** A block of code in a document, without its indentation. */
function blocks(text: string): string[] {
  return [...text.matchAll(/^( *)```\w+\n(.*?)\n\1```$/gms)].map(([, indent, code]) =>
    code!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/**
 * The code that a document prints: a whole block, a command in a block, or code within a sentence or a table. Tests take
 * their commands from it, so that they fail where the document is wrong.
 * @param document path in the repository
 * @param like what the code holds; the first that does is returned, commands before whole blocks
 * @throws where the document prints nothing like it
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
  if (found === undefined) throw new Error(`${document} prints no command like ${like}.`);
  return found;
}

/** The whole block of code that holds this. */
export function documentedBlock(document: string, like: RegExp): string {
  const found = blocks(readFileSync(join(root, document), 'utf8')).find((code) => like.test(code));
  if (found === undefined) throw new Error(`${document} prints no code like ${like}.`);
  return found;
}
