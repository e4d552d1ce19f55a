import { CsvError, parse } from 'csv-parse/sync';

/** A line of a text file without its line ending. Numbering starts at 1. */
export type Line = { line: number; text: string };

export type CsvRecord<Column extends string> = {
  /** The number of its first line. */
  line: number;
  /** Empty strings if the record has a fault. */
  fields: Record<Column, string>;
  /** Why the record cannot be read. */
  fault?: string;
  /** What is unusual about the record. */
  note?: string;
};

/** The file cannot be read from this line on. */
export class BrokenCsv extends Error {
  readonly line: number;
  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

const separators = [',', ';', '\t'];

/** A longer record contains an unclosed quote. */
const longestRecord = 100_000;

/**
 * Reads CSV as spreadsheets write it. Fields are separated by commas, semicolons or tabs. The first non-blank line
 * names the columns, in any order and case; other columns are ignored. Blank lines, and empty fields after the last
 * column, are skipped. Spreadsheets omit empty fields at the end of a line, so missing fields are read as empty, with a
 * note. Throws `BrokenCsv`.
 */
export async function* readCsv<Column extends string>(
  lines: AsyncIterable<Line>,
  columns: readonly Column[],
): AsyncGenerator<CsvRecord<Column>> {
  let header: Header<Column> | undefined;
  for await (const { line, values } of records(lines, columns)) {
    if (values === strayQuote) yield { line, fields: fieldsOf(header, columns, []), fault: strayQuote };
    else if (values.every((value) => value.trim() === '')) continue;
    else if (header) yield { line, fields: fieldsOf(header, columns, values), ...oddities(header, values) };
    else header = headerOf(line, values, columns);
  }
  if (!header) throw new BrokenCsv(1, 'the file is empty');
}

type Header<Column extends string> = { positions: Record<Column, number>; width: number };

function headerOf<Column extends string>(
  line: number,
  values: string[],
  columns: readonly Column[],
): Header<Column> {
  const names = values.map(columnName);
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length > 0) {
    const reason = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`;
    throw new BrokenCsv(line, `the first line must name the columns ${columns.join(',')}; ${reason}`);
  }
  const doubled = columns.filter((column) => names.indexOf(column) !== names.lastIndexOf(column));
  if (doubled.length > 0) {
    throw new BrokenCsv(
      line,
      `the first line names ${doubled.join(' and ')} twice; remove or rename one of the columns`,
    );
  }
  const positions = Object.fromEntries(columns.map((column) => [column, names.indexOf(column)]));
  return {
    positions: positions as Record<Column, number>,
    width: names.findLastIndex((name) => name !== '') + 1,
  };
}

/** Accepts "Animal Name" for `animal_name`. */
function columnName(written: string): string {
  return written.trim().toLowerCase().replace(/[ -]+/g, '_');
}

function fieldsOf<Column extends string>(
  header: Header<Column> | undefined,
  columns: readonly Column[],
  values: string[],
): Record<Column, string> {
  const entries = columns.map((column) => [column, (header && values[header.positions[column]]) ?? '']);
  return Object.fromEntries(entries) as Record<Column, string>;
}

function oddities({ width }: Header<string>, values: string[]): { fault?: string; note?: string } {
  const counted = `there are ${values.length} fields, the first line names ${width}`;
  if (values.slice(width).some((value) => value.trim() !== '')) return { fault: counted };
  return values.length < width ? { note: counted } : {};
}

const strayQuote =
  'a field contains an unescaped quote; quote the whole field and write the inner quote twice' as const;

type RawRecord = { line: number; values: string[] | typeof strayQuote };

/** Joins the lines of each record and splits it, so that a fault does not affect the following records. */
async function* records(lines: AsyncIterable<Line>, columns: readonly string[]): AsyncGenerator<RawRecord> {
  let separator: string | undefined;
  let open: Line | undefined;
  for await (const { line, text } of lines) {
    if (separator === undefined) {
      if (isBeforeHeader(text)) continue;
      separator = separatorOf(text, columns);
    }
    const record: Line = open ? { line: open.line, text: `${open.text}\n${text}` } : { line, text };
    // Only a quote can close an open field.
    const values = open && !text.includes('"') ? 'open' : split(record.text, separator);
    if (values === 'open' && record.text.length > longestRecord) throw neverClosed(record.line);
    open = values === 'open' ? record : undefined;
    if (values !== 'open') yield { line: record.line, values };
  }
  if (open) throw neverClosed(open.line);
}

/** Whether a line is blank, or declares the separator for Excel ("sep=;"). */
function isBeforeHeader(text: string): boolean {
  return /^[\s,;]*$/.test(text) || /^"?sep=.?"?[\s,;]*$/i.test(text);
}

/** Returns the separator that finds the most columns in the header. */
function separatorOf(header: string, columns: readonly string[]): string {
  const known = (separator: string) =>
    header.split(separator).filter((name) => columns.includes(columnName(name.replaceAll('"', '')))).length;
  return separators.toSorted((one, other) => known(other) - known(one))[0]!;
}

function split(text: string, separator: string): string[] | 'open' | typeof strayQuote {
  // Fast path for lines without quotes.
  if (!text.includes('"')) return text.split(separator);
  try {
    const options = { delimiter: separator, record_delimiter: '\n', relax_column_count: true, trim: true };
    return parse(text, options)[0] ?? [];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'open' : strayQuote;
  }
}

function neverClosed(line: number): BrokenCsv {
  return new BrokenCsv(line, 'a field begins with a quote that is never closed');
}
