export type Cell = string | number | null;

export type Row = Record<string, Cell>;

/**
 * CSV (RFC 4180) of rows that come in pages, a page at a time. It begins with a byte order mark, without which spreadsheets do not take it for UTF-8,
 * and a line of the columns' names; both come with the first page, so that nothing is sent before the first rows are there.
 */
export async function* csvText<Columns extends Row>(
  columns: readonly (keyof Columns & string)[],
  pages: AsyncIterable<Columns[]>,
): AsyncGenerator<string> {
  let head = `\uFEFF${line(columns)}`;
  for await (const page of pages) {
    yield head + page.map((row) => line(columns.map((column) => row[column] ?? null))).join('');
    head = '';
  }
}

function line(cells: readonly Cell[]): string {
  return `${cells.map(field).join(',')}\r\n`;
}

/** Numbers stay numbers. Every text is quoted, because spreadsheets in some locales also split at semicolons and tabs. */
function field(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  return `"${defused(cell).replaceAll('"', '""')}"`;
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
