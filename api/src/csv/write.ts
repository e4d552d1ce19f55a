import { stringify } from 'csv-stringify/sync';

export type Cell = string | number | null;

export type Row = Record<string, Cell>;

/**
 * CSV (RFC 4180) of rows that come in pages, a page at a time. It begins with a byte order mark, without which spreadsheets do not take it for UTF-8,
 * and a line of the columns' names; both come with the first page, so that nothing is sent before the first rows are there.
 * Every text is quoted, because spreadsheets in some locales also split at semicolons and tabs. Numbers stay numbers.
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
 * Matches where a spreadsheet could read a formula: at the start of a text, and after a character at which a spreadsheet in another locale starts a new field.
 * Blanks and quotes before the sign do not prevent that. Full-width signs become plain ones in some input methods.
 */
const formula = /(^|[;\t\r\n])(?=[ "]*[=+\-@＝＋－＠])/g;

/** Visitors and staff write the texts. An apostrophe makes a formula plain text (https://owasp.org/www-community/attacks/CSV_Injection). */
function defused(text: string): string {
  return text.replace(formula, "$1'").replace(/^(?=[\t\r])/, "'");
}
