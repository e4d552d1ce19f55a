import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Joi from 'joi';

export type Headers = Record<string, string | string[]>;
export type Chunks = AsyncIterable<string | Uint8Array>;

/** A response other than a 200 with JSON. Handlers create it with the functions below. */
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

/** A kind of reply that a route declares in `also`. */
export type Outcome = {
  status: number;
  description: string;
  mediaType?: string;
  schema?: Joi.Schema;
  /** Additional headers with their descriptions. */
  headers?: Record<string, string>;
};

/** Returns JSON with another status, media type or headers. */
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

/** GeoJSON (RFC 7946), which is always UTF-8. */
export const asGeoJson = (schema: Joi.Schema): Outcome => ({
  status: 200,
  description: 'Done.',
  mediaType: 'application/geo+json',
  schema,
});

/** Returns the text of a GeoJSON document. */
export function geoJson(text: string): Reply {
  return new Reply(200, { 'Content-Type': 'application/geo+json' }, text);
}

export const redirected: Outcome = {
  status: 302,
  description: 'A redirect to the URL in the header Location.',
  headers: { Location: 'The URL to request instead.' },
};

/** Returns a temporary redirect that clients must not cache. */
export function redirect(location: string): Reply {
  return new Reply(302, { Location: location, 'Cache-Control': 'no-store' }, '');
}

export const asCsv: Outcome = {
  status: 200,
  description: 'Done.',
  mediaType: 'text/csv',
  schema: Joi.string(),
};

/** HTML for browsers. */
export const asPage: Outcome = {
  status: 200,
  description: 'Done.',
  mediaType: 'text/html',
  schema: Joi.string(),
};

/** Returns a CSV file as a download, streamed while it is generated. */
export function csv(chunks: AsyncIterable<string>, name: string, headers: Headers = {}): Reply {
  const disposition = `attachment; filename="${name}"`;
  return new Reply(
    200,
    { ...headers, 'Content-Type': 'text/csv; charset=utf-8', 'Content-Disposition': disposition },
    chunks,
  );
}

/** Returns bytes of a media type that the route declares. */
export function bytes(body: Uint8Array, mediaType: string, headers: Headers = {}): Reply {
  return new Reply(200, { ...headers, 'Content-Type': mediaType }, body);
}

/** Ends a response with a reply. Rejects if a stream's source fails. Before its first chunk, that can still become an error response. */
export async function send(response: ServerResponse, { status, headers, body }: Reply): Promise<void> {
  const whole = typeof body === 'string' || body instanceof Uint8Array;
  // The response to HEAD has only headers, so the body is not generated.
  const chunks = whole || response.req.method === 'HEAD' ? null : await begun(body);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) {
    response.setHeader(name, name === 'Vary' ? withVary(response, String(value)) : value);
  }
  if (chunks) return stream(response, chunks);
  if (whole && status !== 304) response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(whole ? body : undefined);
}

/** Returns the value of Vary, including the names that were set earlier for this response. */
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
    // A pipeline into a closed response does not close its source, which holds a database connection.
    source.destroy();
    // The client closed the connection, during the body or before it. That is not an error of the server.
    const { code } = error as { code?: string };
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ERR_STREAM_UNABLE_TO_PIPE') throw error;
  }
}
