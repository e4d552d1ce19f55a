import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Joi from 'joi';

export type Headers = Record<string, string | string[]>;
export type Chunks = AsyncIterable<string | Uint8Array>;

/** What a handler answers with where a 200 with JSON won't do. The constructors below make them. */
export class Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array | Chunks;

  constructor(status: number, headers: Headers, body: Reply['body']) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** A kind of reply, as a route declares it in `also`. */
export type Outcome = {
  status: number;
  description: string;
  mediaType?: string;
  schema?: Joi.Schema;
  /** Headers that say something of their own, and what. */
  headers?: Record<string, string>;
};

/** JSON with a status, a media type or headers of its own. */
export function json(
  body: unknown,
  {
    status = 200,
    mediaType = 'application/json; charset=utf-8',
    headers = {},
  }: { status?: number; mediaType?: string; headers?: Headers },
): Reply {
  return new Reply(status, { ...headers, 'Content-Type': mediaType }, JSON.stringify(body));
}

/** GeoJSON (RFC 7946), which is UTF-8 always. */
export const asGeoJson = (schema: Joi.Schema): Outcome => ({
  status: 200,
  description: 'Done.',
  mediaType: 'application/geo+json',
  schema,
});

export function geoJson(body: unknown): Reply {
  return new Reply(200, { 'Content-Type': 'application/geo+json' }, JSON.stringify(body));
}

export const redirected: Outcome = {
  status: 302,
  description: 'The header Location says where to go.',
  headers: { Location: 'Where to go.' },
};

/** Sends the client elsewhere, and has it ask again the next time. */
export function redirect(location: string): Reply {
  return new Reply(302, { Location: location, 'Cache-Control': 'no-store' }, '');
}

export const asCsv: Outcome = {
  status: 200,
  description: 'Done.',
  mediaType: 'text/csv',
  schema: Joi.string(),
};

/** HTML for people, who open an address in a browser. */
export const asPage: Outcome = {
  status: 200,
  description: 'Done.',
  mediaType: 'text/html',
  schema: Joi.string(),
};

/** A file to be saved, sent while it is made. */
export function csv(chunks: AsyncIterable<string>, name: string, headers: Headers = {}): Reply {
  const disposition = `attachment; filename="${name}"`;
  return new Reply(
    200,
    { ...headers, 'Content-Type': 'text/csv; charset=utf-8', 'Content-Disposition': disposition },
    chunks,
  );
}

/** Bytes of a media type that the route declares. */
export function bytes(body: Uint8Array, mediaType: string, headers: Headers = {}): Reply {
  return new Reply(200, { ...headers, 'Content-Type': mediaType }, body);
}

/** Ends a response with a reply. Rejects if a stream's source fails; before its first chunk that can still become an error's answer. */
export async function send(response: ServerResponse, { status, headers, body }: Reply): Promise<void> {
  const whole = typeof body === 'string' || body instanceof Uint8Array;
  // A HEAD has the headers only: nothing is made that nobody gets.
  const chunks = whole || response.req.method === 'HEAD' ? null : await begun(body);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, name === 'Vary' ? withVary(response, String(value)) : value);
  }
  if (chunks) return stream(response, chunks);
  if (whole && status !== 304) response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(whole ? body : undefined);
}

/** The value of Vary, including what earlier code of this request has set. */
function withVary(response: ServerResponse, value: string): string {
  const names = [response.getHeader('Vary') ?? '', value].flatMap((names) => String(names).split(', '));
  return [...new Set(names.filter((name) => name !== ''))].join(', ');
}

/**
 * Returns the same chunks, with the first one already computed. It is not a generator, because a generator that never started does not run
 * its `finally`, and the source would stay open.
 */
async function begun(chunks: Chunks): Promise<Chunks> {
  const iterator = chunks[Symbol.asyncIterator]();
  let first: IteratorResult<string | Uint8Array> | undefined = await iterator.next();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = first ?? (await iterator.next());
        first = undefined;
        return result;
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

async function stream(response: ServerResponse, chunks: Chunks): Promise<void> {
  const source = Readable.from(chunks, { objectMode: false });
  try {
    await pipeline(source, response);
  } catch (error) {
    // A pipeline into a response that is closed already does not close its source, which holds a database connection.
    source.destroy();
    // The client closed the connection, during the body or before it. That is not an error of the server.
    const { code } = error as { code?: string };
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ERR_STREAM_UNABLE_TO_PIPE') throw error;
  }
}
