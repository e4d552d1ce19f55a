import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const help = `Usage: npm run audit [-- --sbom FILE]

Checks the packages that this checkout installs against public databases of known vulnerabilities. Needs the internet.
  npm audit       the packages of package-lock.json
  api.osv.dev     the Python packages of requirements.txt, and of the tests' own requirements.txt

  --sbom FILE     also the packages of a CycloneDX file, such as the sbom.json of a release; on a server it is
                  /opt/map-app/current/sbom.json

Exit status: 0 no known vulnerabilities, 1 known vulnerabilities, 2 a database cannot be reached or a file cannot be read.
`;

/** OSV's endpoint. `OSV_URL` replaces it with a mirror, or with a stand-in in tests. */
const osvUrl = process.env['OSV_URL'] ?? 'https://api.osv.dev/v1/querybatch';
const pythonLocks = ['requirements.txt', 'tests/fuzz/requirements.txt', 'tests/tls/requirements.txt'];
/** OSV's maximum number of queries per request. */
const batchSize = 1_000;

/** The audit failed. The message names the cause and the remedy. */
class Failed extends Error {}

/** A known vulnerability of one package. */
type Finding = { package: string; advisory: string };

process.exitCode = await run(process.argv.slice(2));

async function run(args: string[]): Promise<number> {
  try {
    const { values } = parseArgs({ args, options: { sbom: { type: 'string' }, help: { type: 'boolean' } } });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    const root = fileURLToPath(new URL('../..', import.meta.url));
    let total = report('package-lock.json', await npmAudit(root));
    for (const lock of pythonLocks) total += report(lock, await osv(pypi(await read(root + lock))));
    if (values.sbom) total += report(values.sbom, await osv(components(await read(values.sbom))));
    return total === 0 ? 0 : 1;
  } catch (error) {
    const { code } = error as { code?: string };
    if (!(error instanceof Failed) && !code?.startsWith('ERR_PARSE_ARGS')) throw error;
    process.stderr.write(`${(error as Error).message}\n${error instanceof Failed ? '' : `\n${help}`}`);
    return 2;
  }
}

function report(what: string, findings: Finding[]): number {
  process.stdout.write(
    `${what}: ${findings.length === 0 ? 'no known vulnerabilities' : `${findings.length} known ${findings.length === 1 ? 'vulnerability' : 'vulnerabilities'}`}\n`,
  );
  for (const finding of findings) process.stdout.write(`  ${finding.package}: ${finding.advisory}\n`);
  return findings.length;
}

type NpmReport = {
  vulnerabilities?: Record<string, { severity: string; via: (string | { title: string; url: string })[] }>;
  message?: string;
};

async function npmAudit(root: string): Promise<Finding[]> {
  const output = await new Promise<string>((resolve) =>
    // npm exits with 1 both for findings and for failures. Its JSON distinguishes them.
    execFile('npm', ['audit', '--json'], { cwd: root, maxBuffer: 1e8 }, (_error, stdout) => resolve(stdout)),
  );
  const { vulnerabilities, message } = parsed(output, 'The output of npm audit') as NpmReport;
  if (!vulnerabilities) throw unreachable('npm audit', message ?? 'it returned no report');
  return Object.entries(vulnerabilities).flatMap(([name, { severity, via }]) =>
    via
      .filter((each) => typeof each !== 'string')
      .map(({ title, url }) => ({ package: name, advisory: `${severity}: ${title} (${url})` })),
  );
}

/** Queries OSV (https://google.github.io/osv.dev/post-v1-querybatch/) for packages, identified by package URLs. */
async function osv(packages: string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let at = 0; at < packages.length; at += batchSize) {
    const batch = packages.slice(at, at + batchSize);
    const results = await askOsv(batch);
    findings.push(
      ...results.flatMap(({ vulns = [] }, index) =>
        vulns.map(({ id }) => ({ package: batch[index]!, advisory: `https://osv.dev/vulnerability/${id}` })),
      ),
    );
  }
  return findings;
}

async function askOsv(packages: string[]): Promise<{ vulns?: { id: string }[] }[]> {
  const host = new URL(osvUrl).host;
  const queries = packages.map((purl) => ({ package: { purl } }));
  let text: string;
  try {
    const response = await fetch(osvUrl, {
      method: 'POST',
      body: JSON.stringify({ queries }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok) throw unreachable(host, `it returned ${response.status}`);
    text = await response.text();
  } catch (error) {
    if (error instanceof Failed) throw error;
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    throw unreachable(host, cause?.code ?? name);
  }
  const { results } = parsed(text, `The response of ${host}`) as { results?: { vulns?: { id: string }[] }[] };
  if (results?.length !== packages.length) throw unreachable(host, 'the response has an unexpected format');
  return results;
}

/** Returns the packages that a pip lock file pins, for every version of Python. */
function pypi(lock: string): string[] {
  return [...lock.matchAll(/^([\w.-]+)(?:\[[^\]]*\])?==([\w.!+-]+)/gm)].map(
    ([, name, version]) => `pkg:pypi/${name!.toLowerCase()}@${version}`,
  );
}

function components(sbom: string): string[] {
  const { bomFormat, components = [] } = parsed(sbom, 'The SBOM') as {
    bomFormat?: string;
    components?: { purl?: string }[];
  };
  if (bomFormat !== 'CycloneDX') throw new Failed('The SBOM is not a CycloneDX file in JSON.');
  return components.flatMap(({ purl }) => purl ?? []);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Failed(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Failed(`${what} is not JSON: ${JSON.stringify(text.slice(0, 80))}`);
  }
}

function unreachable(what: string, why: string): Failed {
  return new Failed(
    `${what} cannot be reached: ${why}. The audit has no result. Run it again where the internet is reachable.`,
  );
}
