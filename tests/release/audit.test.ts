import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect } from 'chai';
import { root } from '../run/command.ts';

type Query = { queries: { package: { purl: string } }[] };

// Stand-ins replace both vulnerability databases, which are not reachable from everywhere.
describe('npm run audit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-audit-'));
  let osv: Server;
  let queried: string[];
  let status: number;
  let vulnerable: string;

  before(async () => {
    osv = createServer((request, response) => {
      void json(request).then((body) => {
        const packages = (body as Query).queries.map((query) => query.package.purl);
        queried.push(...packages);
        const results = packages.map((purl) => (purl === vulnerable ? { vulns: [{ id: 'GHSA-1' }] } : {}));
        response.writeHead(status).end(JSON.stringify({ results }));
      });
    }).listen(0, '127.0.0.1');
    await once(osv, 'listening');
  });
  beforeEach(() => {
    [queried, status, vulnerable] = [[], 200, ''];
    npmReports({ vulnerabilities: {} });
  });
  after(() => {
    osv.close();
    osv.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  const npmReports = (report: object) => {
    writeFileSync(join(folder, 'npm'), `#!/bin/sh\necho '${JSON.stringify(report)}'; exit 1\n`);
    chmodSync(join(folder, 'npm'), 0o755);
  };
  const audit = (...args: string[]): Promise<{ code: number; out: string; errors: string }> => {
    const osvUrl = `http://127.0.0.1:${(osv.address() as AddressInfo).port}/v1/querybatch`;
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, OSV_URL: osvUrl };
    return new Promise((resolve) =>
      execFile(process.execPath, [`${root}api/release/audit.ts`, ...args], { env }, (error, out, errors) =>
        resolve({ code: error ? Number(error.code) : 0, out, errors }),
      ),
    );
  };
  const sbom = (content: object): string => {
    const path = join(folder, 'sbom.json');
    writeFileSync(path, JSON.stringify(content));
    return path;
  };

  it('checks every locked package, and reports no known vulnerabilities', async () => {
    const { code, out, errors } = await audit();
    expect({ code, errors }).to.deep.equal({ code: 0, errors: '' });
    expect(out).to.match(
      /^package-lock\.json: no known vulnerabilities\nrequirements\.txt: no known vulnerabilities\n/,
    );
    expect(queried.filter((purl) => /^pkg:pypi\/ansible@\d/.test(purl))).to.have.length(2);
    expect(queried.every((purl) => /^pkg:pypi\/[a-z0-9._-]+@[\w.]+$/.test(purl))).to.equal(true);
  });

  it('reports the vulnerabilities of npm audit and exits with 1', async () => {
    const via = ['other', { title: 'Prototype pollution', url: 'https://github.com/advisories/GHSA-2' }];
    npmReports({ vulnerabilities: { left: { severity: 'high', via } } });
    const { code, out } = await audit();
    expect(code).to.equal(1);
    expect(out).to.include('  left: high: Prototype pollution (https://github.com/advisories/GHSA-2)\n');
  });

  it('checks the packages of an SBOM, reports vulnerabilities and exits with 1', async () => {
    vulnerable = 'pkg:npm/%40scope/name@1.0.0';
    const path = sbom({
      bomFormat: 'CycloneDX',
      components: [{ purl: vulnerable }, { purl: 'pkg:npm/a@1.0.0' }],
    });
    const { code, out } = await audit('--sbom', path);
    expect(code).to.equal(1);
    expect(queried).to.include.members([vulnerable, 'pkg:npm/a@1.0.0']);
    expect(out).to.include(`  ${vulnerable}: https://osv.dev/vulnerability/GHSA-1\n`);
  });

  it('exits with 2 if a database is unreachable', async () => {
    status = 500;
    expect(await audit()).to.deep.include({ code: 2 });
    status = 200;
    npmReports({ message: 'request failed', error: {} });
    const { code, out, errors } = await audit();
    expect({ code, out }).to.deep.equal({ code: 2, out: '' });
    expect(errors).to.equal(
      'npm audit cannot be reached: request failed. The audit has no result. Run it again where the internet is reachable.\n',
    );
  });

  it('exits with 2 for a file that is not an SBOM and for unknown options', async () => {
    expect((await audit('--sbom', sbom({}))).errors).to.match(/not a CycloneDX file/);
    expect((await audit('--sbom', join(folder, 'none'))).errors).to.match(/cannot be read \(ENOENT\)/);
    expect(await audit('--fix')).to.deep.include({ code: 2, out: '' });
  });
});
