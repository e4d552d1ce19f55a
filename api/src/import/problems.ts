import { basename } from 'node:path';

/** Something about one line of a file. */
export type Remark = { file: string; line: number; text: string };

/** Files hold lines that can't go in: the message has a line for each. */
export class BadLines extends Error {
  constructor(problems: Remark[]) {
    super(problems.map(sentence).join('\n'));
  }
}

/** A file that was named can't be read. */
export class UnreadableFile extends Error {
  constructor(file: string, cause: unknown) {
    const { code } = cause as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a folder',
      EACCES: 'this user may not read it',
    };
    super(`${file}: ${reasons[code ?? ''] ?? String(cause)}. Name a file that can be read.`, { cause });
  }
}

/** What is wrong with one line. */
export class BadField extends Error {}

/** A file makes no sense from a line on. */
export class BrokenFile extends Error {
  readonly line: number;
  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

/** Yields what `parse` makes of each line; where it throws `BadField`, that goes to `problems` instead. */
export async function* parsed<Line extends { line: number }, Row>(
  file: string,
  lines: AsyncIterable<Line>,
  problems: Remark[],
  parse: (line: Line) => Row | Promise<Row>,
): AsyncGenerator<Row> {
  try {
    for await (const line of lines) {
      let row: Row;
      try {
        row = await parse(line);
      } catch (error) {
        if (!(error instanceof BadField)) throw error;
        problems.push({ file, line: line.line, text: error.message });
        continue;
      }
      yield row;
    }
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error;
    problems.push({ file, line: error.line, text: error.message });
  }
}

/** Refuses what was seen before in the file. Answers a function to be asked for each line. */
export function onlyOnce(): (key: unknown[], line: number) => void {
  const seen = new Map<string, number>();
  return (key, line) => {
    const known = JSON.stringify(key);
    if (seen.has(known)) throw new BadField(`it repeats line ${seen.get(known)}`);
    seen.set(known, line);
  };
}

export function sentence({ file, line, text }: Remark): string {
  return `${basename(file)} line ${line}: ${text}`;
}
