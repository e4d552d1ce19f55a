const size = 1_000;

/**
 * What is made of all rows of a query, in the order of their ids and a page at a time, one page at least. `page` answers the first `limit` rows after an id.
 * Between two pages neither a connection nor a snapshot is held, however slowly somebody reads: every row that is there throughout comes exactly once.
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
