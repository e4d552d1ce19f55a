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

/** Visitors and staff wrote the texts: one that a spreadsheet would take for a formula is made plain by an apostrophe (https://owasp.org/www-community/attacks/CSV_Injection). */
function field(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
