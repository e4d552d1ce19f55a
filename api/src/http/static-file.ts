import type { RequestHandler } from 'express';
import { Router } from 'express';
import { type Body, bodyOf } from '../cache/bodies.ts';
import { matches, sendBody, tagOf, unchanged } from '../cache/cache.ts';
import { methodNotAllowed } from '../errors.ts';
import type { Headers } from './reply.ts';

/** A file that does not change while the program runs. */
export type StaticFile = {
  path: string;
  mediaType: string;
  read: () => Buffer | Promise<Buffer>;
  headers?: Headers;
};

/** A file whose text is part of the program. */
export function textFile(path: string, mediaType: string, text: string, headers: Headers = {}): StaticFile {
  return { path, mediaType: `${mediaType}; charset=utf-8`, read: () => Buffer.from(text), headers };
}

/** Serves files to GET and HEAD; any other method is a 405. */
export function staticFiles(files: readonly StaticFile[]): Router {
  const router = Router();
  for (const file of files) {
    const place = router.route(file.path).get(serve(file));
    place.all((_request, response) => {
      response.setHeader('Allow', 'GET');
      throw methodNotAllowed('This address takes GET only.');
    });
  }
  return router;
}

/** Reads a file when it is first requested, and compresses it once for each encoding. */
function serve({ path, mediaType, read, headers }: StaticFile): RequestHandler {
  let made: Promise<Body> | undefined;
  const all = { 'Content-Type': mediaType, 'X-Content-Type-Options': 'nosniff', ...headers };
  const make = async () => {
    const text = await read();
    return bodyOf(tagOf(path, text.toString('latin1')), { headers: all, text }, () => undefined);
  };
  return async (request, response) => {
    const body = await (made ??= make());
    if (matches(request.headers['if-none-match'], body.state)) return unchanged(response, body.state);
    return sendBody(request, response, body.state, body);
  };
}
