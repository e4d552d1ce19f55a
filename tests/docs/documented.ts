import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/command.ts';

/** A fenced block of a document, without its indentation. */
export type Block = {
  /** The word after the fence, such as `sh`. */
  language: string;
  text: string;
  /** The reason in a marker `<!-- not run: REASON -->` above the block. */
  notRun?: string;
  line: number;
};

const fence = /^( *)```(\w*)\n(.*?)\n\1```$/gms;

/** Returns the fenced blocks of a Markdown text. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(fence)].map(({ 1: indent, 2: language, 3: code, index }) => {
    const before = markdown.slice(0, index).trimEnd();
    const notRun = /<!-- not run: ([^\n]+) -->$/.exec(before)?.[1];
    return {
      language: language!,
      text: code!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: markdown.slice(0, index).split('\n').length,
      ...(notRun !== undefined && { notRun }),
    };
  });
}

/**
 * Returns the commands of a block, one line each. In a block of the language `console`, commands start with `$ ` and the
 * other lines are their output.
 */
export function commandsOf({ language, text }: Pick<Block, 'language' | 'text'>): string[] {
  const lines = text.replaceAll(/ *\\\n */g, ' ').split('\n');
  if (language === 'console')
    return lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  return language === 'sh' ? lines.filter((line) => line && !line.startsWith('#')) : [];
}

const read = (document: string) => readFileSync(join(root, document), 'utf8');

/**
 * Returns a command of a document, or code within a sentence or a table. Tests take their commands from documents, so
 * that they fail where the document is wrong. `documents.test.ts` finds the calls by their literal arguments.
 * @param document path in the repository, as a literal
 * @param like a literal pattern; the first command that matches is returned, commands before code in sentences
 * @throws if nothing matches
 */
export function documented(document: string, like: RegExp): string {
  const text = read(document);
  const spans = [...text.replaceAll(fence, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  const found = [...blocksOf(text).flatMap(commandsOf), ...spans].find((code) => like.test(code));
  if (found === undefined) throw new Error(`${document} has no command like ${like}.`);
  return found;
}

/** Returns the whole block of a document that matches a pattern. The rules of `documented` apply. */
export function documentedBlock(document: string, like: RegExp): string {
  const found = blocksOf(read(document)).find(({ text }) => like.test(text));
  if (found === undefined) throw new Error(`${document} has no block like ${like}.`);
  return found.text;
}

/** Returns the output that a document prints after a command, or undefined if the command is not in a `console` block. */
export function documentedOutput(document: string, like: RegExp): string | undefined {
  const found = blocksOf(read(document))
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => `\n${text.replaceAll(/ *\\\n */g, ' ')}`.split('\n$ '))
    .find((part) => like.test(part.split('\n', 1)[0]!));
  return found?.slice(found.indexOf('\n') + 1).trim();
}

/** Replaces what differs from run to run: numbers, times, sizes, digests, colours, and where lines are wrapped. */
export function masked(output: string): string {
  return output
    .replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\b(?=[a-f]*\d)[0-9a-f]{7,}\b/g, '#')
    .replaceAll(/\d+(?:[.,]\d+)*/g, '#')
    .replaceAll(/# (?:ms|s|min|h|d|kB|MB|GB)\b/g, '#')
    .replaceAll(/\*{3,}/g, '***');
}

/**
 * Compares the output of a command with the one that a document prints: each line of the document must be in the output,
 * masked and in this order. A line with `…` alone stands for any lines.
 * @throws with the first line that is missing, or if the document prints no output
 */
export function compareOutput(document: string, like: RegExp, output: string): void {
  const printed = documentedOutput(document, like);
  if (!printed) throw new Error(`${document} prints no output of a command like ${like}.`);
  let rest = masked(output);
  for (const line of printed.split('\n')) {
    const wanted = masked(line).trim();
    if (wanted === '' || wanted === '…') continue;
    const at = rest.indexOf(wanted);
    if (at === -1)
      throw new Error(`${document} prints this line, but the command does not:\n${line}\n\n${output}`);
    rest = rest.slice(at + wanted.length);
  }
}
