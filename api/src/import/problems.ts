import { basename } from 'node:path';
import { BrokenCsv } from '../csv/read.ts';

/** A remark about one line of a file, or about the whole file if `line` is null. */
export type Remark = { file: string; line: number | null; text: string };

/** The findings of one import. Nothing is stored if there are problems. */
export type Findings = { problems: Remark[]; warnings: Remark[] };

/** The file argument that stands for standard input. */
export const standardInput = '-';

/** Files contain lines that cannot be imported. The message has one line for each of the first problems. */
export class BadLines extends Error {
  constructor(problems: Remark[]) {
    super(firstOf(problems, 'problems').join('\n'));
  }
}

/** More lines would scroll the first ones off the screen. */
const mostPrinted = 20;

/** Formats the first remarks as one sentence each, and the number of the others. */
export function firstOf(remarks: Remark[], what: 'problems' | 'warnings'): string[] {
  const left = remarks.length - mostPrinted;
  const others = left > 0 ? [`… and ${left} more ${left === 1 ? what.slice(0, -1) : what}`] : [];
  return [...remarks.slice(0, mostPrinted).map(sentence), ...others];
}

/** A file argument cannot be read. */
export class UnreadableFile extends Error {
  constructor(file: string, cause: unknown) {
    super(`${labelOf(file, file)}: ${reasonOf(cause)}. Choose a file that can be read.`, { cause });
  }
}

/** Returns why the system cannot read a file. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? message;
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
  ELOOP: 'it is a link to itself',
  ENAMETOOLONG: 'its name is too long',
  EIO: 'the disk cannot be read',
};

/** The problem with one line. */
export class BadField extends Error {}

/** A file cannot be imported from a line on, or at all if `line` is null. */
export class BrokenFile extends Error {
  readonly line: number | null;
  constructor(line: number | null, reason: string) {
    super(reason);
    this.line = line;
  }
}

type Readable = { line: number; fault?: string; note?: string };

/**
 * Yields the result of `parse` for each line. Faults and `BadField` become problems of the line, notes become warnings.
 */
export async function* parsed<Line extends Readable, Row>(
  file: string,
  lines: AsyncIterable<Line>,
  { problems, warnings }: Findings,
  parse: (line: Line) => Row | Promise<Row>,
): AsyncGenerator<Row> {
  try {
    for await (const record of lines) {
      const { line, fault, note } = record;
      let row: Row;
      try {
        if (fault !== undefined) throw new BadField(fault);
        row = await parse(record);
      } catch (error) {
        if (!(error instanceof BadField)) throw error;
        problems.push({ file, line, text: [...(note ? [note] : []), error.message].join('; ') });
        continue;
      }
      if (note) warnings.push({ file, line, text: `${note}; the missing ones are read as empty` });
      yield row;
    }
  } catch (error) {
    if (!(error instanceof BrokenFile || error instanceof BrokenCsv)) throw error;
    problems.push({ file, line: error.line, text: error.message });
  }
}

/** Returns a function that rejects duplicates. */
export function onlyOnce(): (key: unknown[], line: number) => void {
  const seen = new Map<string, number>();
  return (key, line) => {
    const known = JSON.stringify(key);
    if (seen.has(known)) throw new BadField(`duplicate of line ${seen.get(known)}`);
    seen.set(known, line);
  };
}

export function sentence({ file, line, text }: Remark): string {
  return `${labelOf(file, basename(file))}${line === null ? '' : ` line ${line}`}: ${text}`;
}

function labelOf(file: string, name: string): string {
  return file === standardInput ? 'standard input' : name;
}
