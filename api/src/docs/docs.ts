import type { RequestHandler } from 'express';
import { Router } from 'express';
import { type Body, bodyOf } from '../cache/bodies.ts';
import { matches, sendBody, tagOf, unchanged } from '../cache/cache.ts';
import { methodNotAllowed } from '../errors.ts';
import { readUiFile, uiFiles } from './files.ts';
import { page, policy, start } from './page.ts';

type File = { path: string; mediaType: string; read: () => Buffer | Promise<Buffer> };

/** The document at /openapi.json, and at /docs a page that shows it, all of which comes from here. */
export function documentation(document: object): Router {
  const ui = Object.entries(uiFiles).map(([name, mediaType]) => ({
    path: `/docs/${name}`,
    mediaType,
    read: () => readUiFile(name),
  }));
  const files: File[] = [
    written('/openapi.json', 'application/json; charset=utf-8', JSON.stringify(document)),
    written('/docs', 'text/html; charset=utf-8', page),
    written('/docs/start.js', 'text/javascript; charset=utf-8', start),
    ...ui,
  ];
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

function written(path: string, mediaType: string, text: string): File {
  return { path, mediaType, read: () => Buffer.from(text) };
}

/** Reads a file when it is first asked for, and compresses it once for each encoding. It stays the same for as long as the program runs. */
function serve({ path, mediaType, read }: File): RequestHandler {
  let made: Promise<Body> | undefined;
  const headers = {
    'Content-Type': mediaType,
    'X-Content-Type-Options': 'nosniff',
    ...(path === '/docs' && { 'Content-Security-Policy': policy }),
  };
  const make = async () => {
    const text = await read();
    return bodyOf(tagOf(path, text.toString('latin1')), { headers, text }, () => undefined);
  };
  return async (request, response) => {
    const body = await (made ??= make());
    if (matches(request.headers['if-none-match'], body.state)) return unchanged(response, body.state);
    return sendBody(request, response, body.state, body);
  };
}
