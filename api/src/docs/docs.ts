import type { Router } from 'express';
import { staticFiles, textFile } from '../http/static-file.ts';
import { readUiFile, uiFiles } from './files.ts';
import { page, policy, start } from './page.ts';

/** The document at /openapi.json, and at /docs a page that shows it, all of which comes from here. */
export function documentation(document: object): Router {
  const ui = Object.entries(uiFiles).map(([name, mediaType]) => ({
    path: `/docs/${name}`,
    mediaType,
    read: () => readUiFile(name),
  }));
  return staticFiles([
    textFile('/openapi.json', 'application/json', JSON.stringify(document)),
    textFile('/docs', 'text/html', page, { 'Content-Security-Policy': policy }),
    textFile('/docs/start.js', 'text/javascript', start),
    ...ui,
  ]);
}
