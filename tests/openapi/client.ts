import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import openapiTS, { astToString } from 'openapi-typescript';
import { root, run } from '../run/command.ts';
import { definitions } from './definitions.ts';

/** A client that uses the generated types. */
const use = `import type { components, operations, paths } from './api.ts';

type Pin = components['schemas']['Pin'];
type Query = NonNullable<operations['getCollectionsPinsItems']['parameters']['query']>;
type Page = paths['/collections/pins/items']['get']['responses'][200]['content']['application/geo+json'];
type Csv = operations['getCollectionsPinsItems']['responses'][200]['content']['text/csv'];

export const query: Query = {
  bbox: [-125, 32, -114, 42],
  limit: 100,
  country: 'France',
  sortby: '-visit_date',
};

export const cityOf = (pin: Pin): string | null => pin.city;
export const countries = (page: Page): string[] => page.features.map(({ properties }) => properties.country);
export const lines = (csv: Csv): string[] => csv.split('\\r\\n');

// @ts-expect-error -- the API has no such parameter
export const wrong: Query = { county: 'France' };
`;

const options = ['--strict', '--target', 'esnext', '--module', 'nodenext', '--allowImportingTsExtensions'];

/** Generates the types of a client from each version of the API definition, and compiles them with code that uses them. */
async function compile(document: object): Promise<string> {
  const folder = mkdtempSync(join(root, 'tests/openapi/.client-'));
  try {
    const types = astToString(await openapiTS(JSON.stringify(document)));
    writeFileSync(join(folder, 'api.ts'), types);
    writeFileSync(join(folder, 'use.ts'), use);
    const { code, output } = await run([
      'tsc',
      '--noEmit',
      '--ignoreConfig',
      ...options,
      join(folder, 'use.ts'),
    ]);
    return code === 0 ? '' : output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [name, document] of Object.entries(definitions)) {
  const output = await compile(document);
  if (output === '') continue;
  process.stdout.write(`${name}: the generated client does not compile:\n${output}`);
  process.exitCode = 1;
}
