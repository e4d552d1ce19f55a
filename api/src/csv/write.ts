import { stringify } from 'csv-stringify/sync';

export type Cell = string | number | null;

export type Row = Record<string, Cell>;

/**
 * Writes CSV (RFC 4180), one page of rows at a time. The text begins with a byte order mark, without which spreadsheets
 * do not recognize UTF-8, and a line of column names. Both are written with the first page, so nothing is sent before
 * the first rows have been read. Every string is quoted, because spreadsheets in some locales also split at semicolons
 * and tabs. Numbers remain numbers.
 */
export async function* csvText<Columns extends Row>(
  columns: readonly (keyof Columns & string)[],
  pages: AsyncIterable<Columns[]>,
): AsyncGenerator<string> {
  let isFirst = true;
  for await (const page of pages) {
    yield stringify(page, {
      columns,
      header: isFirst,
      bom: isFirst,
      record_delimiter: 'windows',
      quoted_string: true,
      cast: { string: defused },
    });
    isFirst = false;
  }
}

/**
 * Matches where a spreadsheet could find a formula: at the start of a text, and after a character that separates fields
 * in spreadsheets of other locales. Spaces and quotes before the sign do not prevent it. Some input methods convert
 * full-width signs to plain ones.
 */
const formula = /(^|[;\t\r\n])(?=[ "]*[=+\-@＝＋－＠])/g;

/**
 * Neutralizes formulas in text from visitors and staff. A leading apostrophe makes a formula plain text
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
function defused(text: string): string {
  return text.replace(formula, "$1'").replace(/^(?=[\t\r])/, "'");
}
