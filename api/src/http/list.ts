import { Reply } from './reply.ts';

/** Returns a 200 with `{"<name>": [item, …]}`, sent while the items are read. */
export function list(name: string, pages: AsyncIterable<unknown[]>): Reply {
  return new Reply(200, { 'Content-Type': 'application/json; charset=utf-8' }, text(name, pages));
}

/**
 * Yields nothing before the first page has been read, so that a failure until then can still become an error response.
 */
async function* text(name: string, pages: AsyncIterable<unknown[]>): AsyncGenerator<string> {
  let before = `{${JSON.stringify(name)}:[`;
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield before + page.map((item) => JSON.stringify(item)).join(',');
    before = ',';
  }
  yield before === ',' ? ']}' : `${before}]}`;
}
