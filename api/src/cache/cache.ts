import { hash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Knex } from 'knex';
import { isUnchanged } from '../http/conditions.ts';
import { json, Reply, send, type Chunks } from '../http/reply.ts';
import { holdBodies, type Body, type Whole } from './bodies.ts';
import { compressor, preferredEncoding, type Encoding } from './encoding.ts';
import { stateCheck, type Collection } from './state.ts';

/** What is asked for: a name that says all that the answer depends on beside the rows of one collection, and what makes the answer of them. */
export type Question = { collection: Collection; name: string; make: () => Promise<unknown> };

/** Where an answer comes from: a 304, memory, the database, or streamed from it as too large to be held. */
export type CacheUse = 'unchanged' | 'held' | 'made' | 'streamed';

/** Answers from memory what is there already, and never what is not so any more. */
export type Cache = {
  answer: (request: IncomingMessage, response: ServerResponse, question: Question) => Promise<void>;
};

/** What a worker holds in memory. */
const mostHeld = 16_000_000;
/** A larger body is made for each who asks, and sent while it is. */
const largestHeld = 8_000_000;
/** Smaller ones fit a packet as they are. */
const smallestCompressed = 1_000;

/** `used` hears of each answer that begins. */
export function createCache(db: Knex, version: string, used: (use: CacheUse) => void): Cache {
  const check = stateCheck(db);
  const bodies = holdBodies(mostHeld);

  return {
    async answer(request, response, { collection, name, make }) {
      const { [collection]: state } = await check.now();
      const tag = tagOf(version, name, state);
      const isConditional = (candidate: string) => {
        if (!isUnchanged(request.headers, candidate)) return false;
        used('unchanged');
        unchanged(response, candidate);
        return true;
      };
      // Other conditions hold only if the response is a 200, which is not known before it is made.
      if (hasTags(request.headers) && isConditional(tag)) return;

      let use: CacheUse = 'held';
      const body = await bodies.get(name, {
        state,
        newest: () => check.newest()[collection],
        make: async () => {
          use = 'made';
          return collect(replyOf(await make()));
        },
      });
      const current = body ? tagOf(version, name, body.state) : tag;
      if (isConditional(current)) return;
      used(body ? use : 'streamed');
      if (!body) {
        const accepted = preferredEncoding(request.headers['accept-encoding']);
        const reply = replyOf(await make());
        const chunks = counted(chunksOf(reply), () => bodies.forget(name));
        const sent = accepted ? compressed(chunks, accepted) : chunks;
        const all = { ...reply.headers, ...headers(response, tag, accepted) };
        return send(response, new Reply(200, all, sent));
      }
      return sendBody(request, response, current, body);
    },
  };
}

/** Sends a body in the encoding that the client takes best. */
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

/** Weak, because the text is the same in every encoding but the bytes are not. */
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
    // To be kept, and asked about each time.
    'Cache-Control': 'no-cache',
    Vary: vary === undefined ? 'Accept-Encoding' : `${String(vary)}, Accept-Encoding`,
  };
}

/** Says to a client that has it already that it still holds. */
export function unchanged(response: ServerResponse, tag: string): void {
  response.writeHead(304, headers(response, tag, null)).end();
}

const replyOf = (answer: unknown): Reply => (answer instanceof Reply ? answer : json(answer, {}));

async function* chunksOf({ body }: Reply): AsyncGenerator<string | Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield body;
  else yield* body;
}

/** All chunks as one, or null as soon as they are more than are held. */
async function collect(reply: Reply): Promise<Whole | null> {
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

/** The same chunks. Says so when they turn out to be few enough to be held. */
async function* counted(chunks: Chunks, areFew: () => void): AsyncGenerator<string | Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    yield chunk;
  }
  if (length <= largestHeld) areFew();
}

function compressed(chunks: Chunks, encoding: Encoding): Chunks {
  // Whoever reads the end of it hears of a failure too.
  return pipeline(Readable.from(chunks, { objectMode: false }), compressor(encoding), () => undefined);
}
