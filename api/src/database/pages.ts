const size = 1_000;

/**
 * All rows of a query in the order of their ids, a page at a time. `page` answers the rows after an id, the first `limit` of them.
 * Between two pages neither a connection nor a snapshot is held, however slowly somebody reads: every row that is there throughout comes exactly once.
 */
export async function* inPages<Row extends { id: number }>(
  page: (after: number, limit: number) => PromiseLike<Row[]>,
): AsyncGenerator<Row> {
  for (let after = 0; ;) {
    const rows = await page(after, size);
    yield* rows;
    const last = rows.at(-1);
    if (!last || rows.length < size) return;
    after = last.id;
  }
}
