import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { BadField, BrokenFile, UnreadableFile } from './problems.ts';

/** A record of a CSV file: the number of its first line, and its fields by column; `BadField` if they don't fit the columns. */
export type CsvRecord<Column extends string> = { line: number; fields: () => Record<Column, string> };

/**
 * Streams a CSV file (RFC 4180, UTF-8 with or without a byte order mark) whose first line names its columns, in any
 * order and with others between them. Empty lines are nothing. Throws `UnreadableFile`, and `BrokenFile` where the
 * rest makes no sense.
 */
export async function* readCsv<Column extends string>(
  file: string,
  columns: readonly Column[],
): AsyncGenerator<CsvRecord<Column>> {
  const parser = parse({
    bom: true,
    raw: true,
    relax_column_count: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: 1_000_000, // an open quote would otherwise swallow the rest of a large file
  });
  const input = createReadStream(file).on('error', (cause) =>
    parser.destroy(new UnreadableFile(file, cause)),
  );
  let header: string[] | undefined;
  let line = 1;
  try {
    for await (const { record, raw } of input.pipe(parser) as AsyncIterable<{
      record: string[];
      raw: string;
    }>) {
      if (!header) {
        header = record.map((name) => name.trim());
        checkHeader(header, columns);
      } else if (record.join('').trim() !== '') {
        const names = header;
        yield { line, fields: () => byColumn(names, record) };
      }
      line += raw.match(/\r\n|\n|\r/g)?.length ?? 0;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new BrokenFile(line, explain(error));
  } finally {
    input.destroy();
  }
  if (!header) throw new BrokenFile(1, 'the file is empty');
}

function checkHeader(header: string[], columns: readonly string[]): void {
  const missing = columns.filter((column) => !header.includes(column));
  if (missing.length === 0) return;
  throw new BrokenFile(
    1,
    `the first line has to name the columns ${columns.join(',')}, and ${missing.join(',')} is missing`,
  );
}

function byColumn<Column extends string>(header: string[], record: string[]): Record<Column, string> {
  if (record.length !== header.length) {
    throw new BadField(`there are ${record.length} fields, the first line names ${header.length}`);
  }
  return Object.fromEntries(header.map((name, i) => [name, record[i]])) as Record<Column, string>;
}

function explain(error: CsvError): string {
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
    case 'CSV_MAX_RECORD_SIZE':
      return 'a field begins with a quote that is never closed';
    case 'INVALID_OPENING_QUOTE':
    case 'CSV_INVALID_CLOSING_QUOTE':
      return 'a quote stands inside a field; quote the whole field and write it twice';
    default:
      return error.message;
  }
}
