import { hash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Knex } from 'knex';
import { isUnchanged } from '../http/conditions.ts';
import type { Cache } from '../http/mount.ts';
import { json, Reply, send, type Chunks } from '../http/reply.ts';
import { holdBodies, type Body, type Whole } from './bodies.ts';
import { compressor, preferredEncoding, type Encoding } from './encoding.ts';
import { stateCheck } from './state.ts';

/**
 * The source of a response: a 304, the cache, the database, or a stream from the database because it is too large for
 * the cache.
 */
export type CacheUse = 'unchanged' | 'held' | 'made' | 'streamed';

/** The size of a worker's cache in bytes. */
const mostHeld = 16_000_000;
/** A larger body is built for each request and streamed. */
const largestHeld = 8_000_000;
/** Smaller bodies fit one packet uncompressed. */
const smallestCompressed = 1_000;

/** `used` is called for each response when it begins. */
export function createCache(db: Knex, version: string, used: (use: CacheUse) => void): Cache {
  const check = stateCheck(db);
  const bodies = holdBodies(mostHeld);

  return {
    async answer(request, response, { collection, name, make }) {
      // A body that is not held is read from the database after this request has arrived, so it needs no check.
      const isNew = !bodies.has(name) && !hasTags(request.headers) && check.isRecent();
      const { [collection]: state } = isNew ? check.newest() : await check.now();
      const isConditional = (candidate: string) => {
        if (!isUnchanged(request.headers, candidate)) return false;
        used('unchanged');
        unchanged(response, candidate);
        return true;
      };
      // Other conditions apply only to a 200, and the status is not known before the response is built.
      if (hasTags(request.headers) && isConditional(tagOf(version, name, state))) return;

      let use: CacheUse = 'held';
      const body = await bodies.get(name, {
        state,
        newest: () => check.newest()[collection],
        make: async () => {
          use = 'made';
          return collect(replyOf(await make()));
        },
      });
      const tag = tagOf(version, name, body?.state ?? state);
      if (isConditional(tag)) return;
      used(body ? use : 'streamed');
      if (!body) {
        const accepted = preferredEncoding(request.headers['accept-encoding']);
        const reply = replyOf(await make());
        const chunks = counted(chunksOf(reply), () => bodies.forget(name));
        const sent = accepted ? compressed(chunks, accepted) : chunks;
        const all = { ...reply.headers, ...headers(response, tag, accepted) };
        return send(response, new Reply(200, all, sent));
      }
      return sendBody(request, response, tag, body);
    },
  };
}

/** Sends a body in the encoding that the client prefers. */
export async function sendBody(
  request: IncomingMessage,
  response: ServerResponse,
  tag: string,
  body: Body,
): Promise<void> {
  const accepted = preferredEncoding(request.headers['accept-encoding']);
  const encoding = body.text.length < smallestCompressed ? null : accepted;
  const bytes = encoding ? await body.encoded(encoding) : body.text;
  const own = headers(response, tag, encoding);
  return send(response, new Reply(200, { ...body.headers, ...own }, bytes));
}

/** Weak, because the text is the same in every encoding but the bytes differ. */
export function tagOf(...parts: string[]): string {
  return `W/"${hash('sha256', parts.join('\n'), 'base64url').slice(0, 20)}"`;
}

/** Whether the only condition of a request is an If-None-Match with tags. */
function hasTags({ 'if-match': match, 'if-none-match': noneMatch }: IncomingHttpHeaders): boolean {
  return match === undefined && noneMatch !== undefined && noneMatch.trim() !== '*';
}

function headers(response: ServerResponse, tag: string, encoding: Encoding | null): Record<string, string> {
  const vary = response.getHeader('Vary');
  return {
    ...(encoding && { 'Content-Encoding': encoding }),
    ETag: tag,
    // Clients may store the response, but must revalidate it before each use.
    'Cache-Control': 'no-cache',
    Vary: vary === undefined ? 'Accept-Encoding' : `${String(vary)}, Accept-Encoding`,
  };
}

/** Sends a 304. */
export function unchanged(response: ServerResponse, tag: string): void {
  response.writeHead(304, headers(response, tag, null)).end();
}

const replyOf = (answer: unknown): Reply => (answer instanceof Reply ? answer : json(answer, {}));

async function* chunksOf({ body }: Reply): AsyncGenerator<string | Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield body;
  else yield* body;
}

/** Concatenates all chunks. Returns null as soon as they exceed the limit of the cache. */
async function collect(reply: Reply): Promise<Whole | null> {
  if (typeof reply.body === 'string') {
    const text = Buffer.from(reply.body);
    return text.length > largestHeld ? null : { headers: reply.headers, text };
  }
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunksOf(reply)) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > largestHeld) return null;
    parts.push(bytes);
  }
  return { headers: reply.headers, text: Buffer.concat(parts) };
}

/** Passes the chunks through. Calls `areFew` if they would fit the cache. */
async function* counted(chunks: Chunks, areFew: () => void): AsyncGenerator<string | Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    yield chunk;
  }
  if (length <= largestHeld) areFew();
}

function compressed(chunks: Chunks, encoding: Encoding): Chunks {
  // Errors reach the reader of the returned stream.
  return pipeline(Readable.from(chunks, { objectMode: false }), compressor(encoding), () => undefined);
}
