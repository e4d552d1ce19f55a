const size = 1_000;

/**
 * Yields pages of a query's rows in the order of their ids, at least one page. `page` returns the first `limit` rows
 * after an id. No connection or snapshot is held between two pages, even if the client reads slowly. Every row that
 * exists throughout is returned exactly once.
 */
export async function* inPages<Row extends { id: number }, Item>(
  page: (after: number, limit: number) => PromiseLike<Row[]>,
  make: (row: Row) => Item,
): AsyncGenerator<Item[]> {
  let after: number | undefined = 0;
  while (after !== undefined) {
    const rows: Row[] = await page(after, size);
    yield rows.map(make);
    after = rows.length < size ? undefined : rows.at(-1)?.id;
  }
}
