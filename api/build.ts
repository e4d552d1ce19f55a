import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { digest, makeRelease, type Manifest } from './release/release.ts';
import { routesFile, writeRoutes } from './release/routes.ts';

const help = `Usage: npm run build

Creates dist/map-app-<version>.tar.gz: the API in one file, its data, its licences, an SBOM and its manifest.
The same sources give the same bytes. dist/release.json describes the newest build.
Also updates ${routesFile}, from which the role nginx configures the API's routes.
`;

/** The newest build, as the playbooks read it. */
type Description = Manifest & { archive: string; sha256: string };

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
  await writeRoutes(root);
  const dist = join(root, 'dist');
  const { manifest, archive } = await makeRelease(root, progress);
  const name = `map-app-${manifest.version}.tar.gz`;
  if (await isThere(dist, manifest.version)) {
    process.stdout.write(`unchanged: dist/${name} (${seconds()})\n`);
    return 0;
  }
  progress('pack');
  const bytes = archive();
  const description: Description = { ...manifest, archive: name, sha256: digest(bytes) };
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

/** Whether the newest build has this version and is complete. */
async function isThere(dist: string, version: string): Promise<boolean> {
  try {
    const newest = JSON.parse(await readFile(join(dist, 'release.json'), 'utf8')) as Description;
    return newest.version === version && digest(await readFile(join(dist, newest.archive))) === newest.sha256;
  } catch {
    return false;
  }
}
