import { createReadStream } from 'node:fs';
import { BadField, BrokenFile, UnreadableFile } from './problems.ts';

/** A record of a CSV file: the number of its first line, and its fields by column; `BadField` if they don't fit the columns. */
export type CsvRecord<Column extends string> = { line: number; fields: () => Record<Column, string> };

/** A longer field is rather a quote that somebody forgot to close, which would swallow the rest of the file. */
const LONGEST_FIELD = 100_000;

/**
 * Streams a CSV file (RFC 4180, UTF-8 with or without a byte order mark) whose first line names its columns, in any
 * order and with others between them. Empty lines are nothing. Throws `UnreadableFile`, and `BrokenFile` where the
 * rest makes no sense.
 */
export async function* readCsv<Column extends string>(
  file: string,
  columns: readonly Column[],
): AsyncGenerator<CsvRecord<Column>> {
  let header: string[] | undefined;
  for await (const { line, values, fault } of records(characters(file))) {
    if (header === undefined) {
      header = values.map((name) => name.trim());
      checkHeader(header, columns);
    } else if (values.join('').trim() !== '') {
      const names = header;
      yield { line, fields: () => byColumn(names, values, fault) };
    }
  }
  if (header === undefined) throw new BrokenFile(1, 'the file is empty');
}

function checkHeader(header: string[], columns: readonly string[]): void {
  const missing = columns.filter((column) => !header.includes(column));
  if (missing.length === 0) return;
  throw new BrokenFile(
    1,
    `the first line has to name the columns ${columns.join(',')}, and ${missing.join(',')} is missing`,
  );
}

function byColumn<Column extends string>(
  header: string[],
  values: string[],
  fault: string | undefined,
): Record<Column, string> {
  if (fault !== undefined) throw new BadField(fault);
  if (values.length !== header.length) {
    throw new BadField(`there are ${values.length} fields, the first line names ${header.length}`);
  }
  return Object.fromEntries(header.map((name, i) => [name, values[i]])) as Record<Column, string>;
}

/** The file in pieces, without a byte order mark. */
async function* characters(file: string): AsyncGenerator<string> {
  let first = true;
  try {
    for await (const piece of createReadStream(file, 'utf8') as AsyncIterable<string>) {
      yield first ? piece.replace(/^\uFEFF/, '') : piece;
      first = false;
    }
  } catch (cause) {
    throw new UnreadableFile(file, cause);
  }
}

type RawRecord = { line: number; values: string[]; fault: string | undefined };

/** Splits text into records and these into values, a character at a time, so that every fault has its line. */
async function* records(pieces: AsyncIterable<string>): AsyncGenerator<RawRecord> {
  let line = 1;
  let record: RawRecord = { line, values: [], fault: undefined };
  let value = '';
  let quotes: 'none' | 'open' | 'closed' = 'none';
  let previous = '';

  const endValue = () => {
    record.values.push(value);
    value = '';
    quotes = 'none';
  };
  for await (const piece of pieces) {
    for (const character of piece) {
      const secondHalf = character === '\n' && previous === '\r';
      const lineEnds = (character === '\n' || character === '\r') && !secondHalf;
      previous = character;
      if (lineEnds) line++;

      if (quotes === 'open') {
        if (character === '"') quotes = 'closed';
        else value += character;
        if (value.length > LONGEST_FIELD) throw neverClosed(record.line);
      } else if (character === '"') {
        // A quote after a closed one is the second of a pair that stands for one.
        if (quotes === 'closed') value += character;
        if (quotes === 'closed' || value === '') quotes = 'open';
        else record.fault = strayQuote;
      } else if (character === ',') {
        endValue();
      } else if (lineEnds) {
        endValue();
        yield record;
        record = { line, values: [], fault: undefined };
      } else if (!secondHalf) {
        if (quotes === 'closed') record.fault = strayQuote;
        value += character;
      }
    }
  }
  if (quotes === 'open') throw neverClosed(record.line);
  if (value !== '' || record.values.length > 0) {
    endValue();
    yield record;
  }
}

const strayQuote = 'a quote stands inside a field; quote the whole field and write the inner quote twice';

function neverClosed(line: number): BrokenFile {
  return new BrokenFile(line, 'a field begins with a quote that is never closed');
}
