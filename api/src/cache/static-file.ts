import type { RequestHandler } from 'express';
import { Router } from 'express';
import { type Body, bodyOf } from './bodies.ts';
import { sendBody, tagOf, unchanged } from './cache.ts';
import { refuseOtherMethods } from '../http/allow.ts';
import { baseOfHeaders } from '../http/base.ts';
import { isUnchanged } from '../http/conditions.ts';
import { refuseParameters } from '../http/query.ts';
import type { Headers } from '../http/reply.ts';

/** A file that does not change while the program runs. */
export type StaticFile = {
  path: string;
  mediaType: string;
  /** `base` is the base URL of the API for a file that contains it, otherwise empty. */
  read: (base: string) => Buffer | Promise<Buffer>;
  headers?: Headers;
  /** Whether the file contains the base URL of the API. */
  hasBase?: boolean;
  /** Whether query parameters are rejected. */
  refusesParameters?: boolean;
};

/** Creates a file from text in the program. */
export function textFile(path: string, mediaType: string, text: string, headers: Headers = {}): StaticFile {
  return { path, mediaType: `${mediaType}; charset=utf-8`, read: () => Buffer.from(text), headers };
}

/** Serves files for GET and HEAD. Other methods return 405. */
export function staticFiles(files: readonly StaticFile[]): Router {
  const router = Router();
  for (const file of files) refuseOtherMethods(router.route(file.path).get(serve(file)), ['GET']);
  return router;
}

/** nginx passes few host names. Clients that reach a worker without nginx could send any number. */
const mostBases = 20;

/** Reads a file at the first request, and compresses it once per encoding. */
function serve({ path, mediaType, read, headers, hasBase, refusesParameters }: StaticFile): RequestHandler {
  const made = new Map<string, Promise<Body>>();
  const all = { 'Content-Type': mediaType, 'X-Content-Type-Options': 'nosniff', ...headers };
  const make = async (base: string) => {
    const text = await read(base);
    return bodyOf(tagOf(path, text.toString('latin1')), { headers: all, text }, () => undefined);
  };
  return async (request, response) => {
    if (refusesParameters) refuseParameters(request.url);
    const base = hasBase ? baseOfHeaders(request.headers) : '';
    if (!made.has(base)) {
      if (made.size === mostBases) made.clear();
      made.set(base, make(base));
    }
    const body = await made.get(base)!;
    if (isUnchanged(request.headers, body.state)) return unchanged(response, body.state);
    return sendBody(request, response, body.state, body);
  };
}
