import type { Router } from 'express';
import { openapi30, openapi31 } from '../http/api-definition.ts';
import { asOpenapi30 } from '../http/openapi-3.0.ts';
import { staticFiles, textFile, type StaticFile } from '../cache/static-file.ts';
import { readUiFile, uiFiles } from './files.ts';
import { page, policy, start } from './page.ts';

const pagePath = '/docs';

/** The paths of the documentation, for nginx's configuration. */
export const documentationPaths = [openapi31.path, openapi30.path, pagePath] as const;

/**
 * The API definition in both versions of OpenAPI, and a page at /docs that shows it. All files are served from here.
 * `define` generates the definition at its first request, because that costs 0.2 s of processor time.
 */
export function documentation(define: () => object): Router {
  const ui = Object.entries(uiFiles).map(([name, mediaType]) => ({
    path: `${pagePath}/${name}`,
    mediaType,
    read: () => readUiFile(name),
  }));
  return staticFiles([
    ...definitions(define),
    textFile(pagePath, 'text/html', page, { 'Content-Security-Policy': policy }),
    textFile(`${pagePath}/start.js`, 'text/javascript', start),
    ...ui,
  ]);
}

function definitions(define: () => object): StaticFile[] {
  const document = lazy(define);
  const older = lazy(() => asOpenapi30(document()));
  return [
    { ...openapi31, read: () => bytes(document()), refusesParameters: true },
    {
      ...openapi30,
      // Clients of OGC API – Features expect the absolute URL.
      read: (base) => bytes({ ...older(), servers: [{ url: base }] }),
      hasBase: true,
      refusesParameters: true,
    },
  ];
}

/** Returns a function that makes a value at its first call. */
function lazy<Value extends object>(make: () => Value): () => Value {
  let value: Value | undefined;
  return () => (value ??= make());
}

const bytes = (document: object) => Buffer.from(JSON.stringify(document));
