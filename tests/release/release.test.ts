import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { routesFile } from '../../api/release/routes-file.ts';
import { routesText } from '../../api/release/routes.ts';
import { root, run } from '../run/command.ts';

type Description = { version: string; commit: string; schema: string; archive: string; sha256: string };

/** Builds in a copy of this repository. @returns the release.json of the build */
async function buildIn(folder: string): Promise<Description> {
  const { code, output } = await run(['node', join(folder, 'api/build.ts')]);
  expect(code, output).to.equal(0);
  return JSON.parse(readFileSync(join(folder, 'dist/release.json'), 'utf8')) as Description;
}

describe('The release', () => {
  let work: string;
  let release: Description;

  before('copy the repository twice, at different depths', async () => {
    mkdirSync(join(root, 'dist'), { recursive: true });
    // Within the repository, so that node_modules can be hard-linked.
    work = mkdtempSync(join(root, 'dist/test-'));
    for (const copy of ['one', 'deep/down/two']) {
      const { code, output } = await run([
        'sh',
        '-ec',
        `
        mkdir -p ${work}/${copy}
        git ls-files -z --cached --others --exclude-standard --deduplicate | tar --create --null --files-from=- --ignore-failed-read |
          tar --extract --directory ${work}/${copy}
        cp --archive --link node_modules .git ${work}/${copy}`,
      ]);
      expect(code, output).to.equal(0);
    }
  });

  after('remove the copies', () => rmSync(work, { recursive: true }));

  it('is reproducible in any folder and at any time', async () => {
    release = await buildIn(join(work, 'one'));
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await buildIn(join(work, 'deep/down/two'))).to.deep.equal(release);
  });

  it('is not bundled again if nothing has changed', async () => {
    const { output } = await run(['node', join(work, 'one/api/build.ts')]);
    expect(output).to.match(/^unchanged: dist\/\S+ \(.* s\)\n$/);
  });

  it('is built again after a change of a source', async () => {
    const source = join(work, 'one/api/src/docs/page.ts');
    const before = readFileSync(source, 'utf8');
    writeFileSync(source, before.replace('<title>', '<title>Changed: '));
    expect((await buildIn(join(work, 'one'))).version).not.to.equal(release.version);
    writeFileSync(source, before);
    expect(await buildIn(join(work, 'one'))).to.deep.equal(release);
  });

  it('is not packed again if its content is the same, but nginx gets the current routes', async () => {
    writeFileSync(join(work, 'one', routesFile), '{}');
    const { output } = await run(['node', join(work, 'one/api/build.ts')]);
    expect(output).to.contain('unchanged');
    expect(readFileSync(join(work, 'one', routesFile), 'utf8')).to.equal(routesText());
  });

  it('is built again if its archive is damaged, without writing to the file that a deploy may be reading', async () => {
    const path = join(work, 'one/dist', release.archive);
    writeFileSync(path, 'damaged');
    const reading = openSync(path, 'r');
    try {
      expect(await buildIn(join(work, 'one'))).to.deep.equal(release);
      expect(readFileSync(reading).equals(Buffer.from('damaged'))).to.equal(true);
    } finally {
      closeSync(reading);
    }
  });

  it('matches its checksum file', async () => {
    const check = ['sh', '-ec', `cd ${work}/one/dist && sha256sum --check ${release.archive}.sha256`];
    expect((await run(check)).code).to.equal(0);
  });

  it('runs without other files and prints its version', async () => {
    const folder = join(work, 'unpacked');
    mkdirSync(folder);
    await run(['tar', '--extract', '--file', join(work, 'one/dist', release.archive), '--directory', folder]);
    const { code, output } = await run(['node', join(folder, 'map-app.mjs'), '--version']);
    expect(code, output).to.equal(0);
    expect(output).to.contain(release.version);
  });

  it('contains licences, an SBOM and a manifest, but no embedded database', async () => {
    const { output } = await run(['tar', '--list', '--file', join(work, 'one/dist', release.archive)]);
    expect(output.split('\n')).to.include.members([
      'map-app.mjs',
      'manifest.json',
      'LICENSES.txt',
      'sbom.json',
    ]);
    expect(output).not.to.contain('pglite');
  });
});
