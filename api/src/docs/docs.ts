import type { RequestHandler } from 'express';
import { Router } from 'express';
import { type Body, bodyOf } from '../cache/bodies.ts';
import { matches, tagOf } from '../cache/cache.ts';
import { preferredEncoding } from '../cache/encoding.ts';
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
  const make = async () => {
    const bytes = await read();
    return bodyOf(tagOf(path, bytes.toString('latin1')), { headers: {}, text: bytes }, () => undefined);
  };
  return async (request, response) => {
    const { state: tag, text, encoded } = await (made ??= make());
    const encoding = preferredEncoding(request.headers['accept-encoding']);
    response.setHeader('ETag', tag);
    response.setHeader('Cache-Control', 'no-cache');
    response.appendHeader('Vary', 'Accept-Encoding');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (path === '/docs') response.setHeader('Content-Security-Policy', policy);
    if (matches(request.headers['if-none-match'], tag)) {
      response.writeHead(304).end();
      return;
    }
    const body = encoding ? await encoded(encoding) : text;
    if (encoding) response.setHeader('Content-Encoding', encoding);
    response.setHeader('Content-Type', mediaType);
    response.setHeader('Content-Length', body.length);
    response.end(body);
  };
}
