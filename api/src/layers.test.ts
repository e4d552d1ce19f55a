import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/** From the bottom to the top, separated by spaces: folders and files. Each imports only from its own folder and from those before it. */
const layers = `
  setting-name.ts version.ts log.ts command.ts email.ts csv pictures/picture.ts
  config.ts database
  http cache
  geocoder addresses mail pictures staff
  animals cities counts survey donations pins collections removal reports retention health docs metrics
  import app.ts declared.ts serve commands.ts cli.ts`;
const order = layers.trim().split(/\s+/);

/** Imports from a higher layer, as `importer -> imported`. */
function climbs(imports: readonly (readonly [importer: string, imported: string])[]): string[] {
  return imports
    .filter(([importer, imported]) => layerOf(importer) < layerOf(imported))
    .map(([importer, imported]) => `${importer} -> ${imported}`);
}

function layerOf(file: string): number {
  const layer = order.includes(file) ? order.indexOf(file) : order.indexOf(file.split('/')[0]!);
  if (layer === -1) throw new Error(`${file} is in no layer: add its folder to the list in layers.test.ts.`);
  return layer;
}

describe('the layers of the API', () => {
  const source = fileURLToPath(new URL('.', import.meta.url));
  const files = globSync('**/*.ts', { cwd: source }).filter((file) => !/\.test\.ts$|^testing\//.test(file));
  const imports = files.flatMap((file) =>
    Array.from(readFileSync(join(source, file), 'utf8').matchAll(/(?:from|import\(?) ?'(\.[^']+\.ts)'/g)).map(
      ([, path]) => [file, normalize(join(dirname(file), path!))] as const,
    ),
  );

  it('only import from lower ones', () => {
    expect(imports.length).to.be.greaterThan(500);
    expect(climbs(imports)).to.deep.equal([]);
  });

  it('are checked: this test detects an import from a higher layer', () => {
    expect(
      climbs([
        ['http/openapi.ts', 'staff/session.ts'],
        ['staff/session.ts', 'http/openapi.ts'],
      ]),
    ).to.deep.equal(['http/openapi.ts -> staff/session.ts']);
  });
});
