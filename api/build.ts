import { hash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { digestOfInputs } from './release/inputs.ts';
import { routesFile } from './release/routes-file.ts';
import type { Manifest } from './release/release.ts';

const help = `Usage: npm run build

Creates dist/map-app-<version>.tar.gz: the API in one file, its data, its licences, an SBOM and its manifest.
The same sources give the same bytes. dist/release.json describes the newest build.
Also updates ${routesFile}, from which the role nginx configures the API's routes.
`;

/** The newest build, as the playbooks read it. `inputs` is the digest of what it was built from. */
type Description = Manifest & { archive: string; sha256: string; inputs: string };

process.exitCode = await run(process.argv.slice(2));

async function run(args: string[]): Promise<number> {
  try {
    if (parseArgs({ args, options: { help: { type: 'boolean' } } }).values.help) {
      process.stdout.write(help);
      return 0;
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const progress = (step: string) => process.stdout.write(`[${seconds()}] ${step}\n`);

  const root = fileURLToPath(new URL('..', import.meta.url));
  const dist = join(root, 'dist');
  const newest = await newestBuild(dist);
  const inputs = await digestOfInputs(root);
  if (newest?.inputs === inputs) {
    process.stdout.write(`unchanged: dist/${newest.archive} (${seconds()})\n`);
    return 0;
  }
  // The release code is imported only after the comparison, because the import takes longer. The bundler runs in a process
  // of its own, so the API is loaded for its routes in the meantime.
  enableCompileCache();
  const { makeRelease } = await import('./release/release.ts');
  const making = makeRelease(root, progress);
  const { writeRoutes } = await import('./release/routes.ts');
  const [{ manifest, archive }] = await Promise.all([making, writeRoutes(root)]);
  const name = `map-app-${manifest.version}.tar.gz`;
  if (newest?.version === manifest.version) {
    await replace(join(dist, 'release.json'), JSON.stringify({ ...newest, inputs }, null, 2) + '\n');
    process.stdout.write(`unchanged: dist/${name} (${seconds()})\n`);
    return 0;
  }
  progress('pack');
  const bytes = await archive();
  const description: Description = { ...manifest, archive: name, sha256: hash('sha256', bytes), inputs };
  await mkdir(dist, { recursive: true });
  await replace(join(dist, name), bytes);
  await replace(join(dist, `${name}.sha256`), `${description.sha256}  ${name}\n`);
  // Written last, so that it never describes an archive that does not exist.
  await replace(join(dist, 'release.json'), JSON.stringify(description, null, 2) + '\n');
  process.stdout.write(`built dist/${name}, ${(bytes.length / 1e6).toFixed(1)} MB (${seconds()})\n`);
  return 0;
}

/** Writes a file atomically: a concurrent build may write the same file, and a deploy may be transferring it. */
async function replace(path: string, content: string | Buffer): Promise<void> {
  const incoming = `${path}.${process.pid}`;
  await writeFile(incoming, content);
  await rename(incoming, path);
}

/** Returns the newest build, or undefined if there is none or it is incomplete. */
async function newestBuild(dist: string): Promise<Description | undefined> {
  try {
    const newest = JSON.parse(await readFile(join(dist, 'release.json'), 'utf8')) as Description;
    return hash('sha256', await readFile(join(dist, newest.archive))) === newest.sha256 ? newest : undefined;
  } catch {
    return undefined;
  }
}
