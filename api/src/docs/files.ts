import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The library files of the page with their licences, and the npm package that contains them. */
export const uiPackage = 'swagger-ui-dist';
export const uiFiles = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui-bundle.js.LICENSE.txt': 'text/plain; charset=utf-8',
};

/** Reads one of the files: shipped with a release, or from the npm package in a source tree. */
export async function readUiFile(name: string): Promise<Buffer> {
  const shipped = fileURLToPath(new URL(`./data/docs/${name}`, import.meta.url));
  const installed = fileURLToPath(new URL(`../../../node_modules/${uiPackage}/${name}`, import.meta.url));
  return readFile(existsSync(shipped) ? shipped : installed);
}
