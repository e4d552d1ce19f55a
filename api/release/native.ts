import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Entry } from './tar.ts';

const run = promisify(execFile);

/** The packages that decode pictures on a server. npm installs only those of the build machine. */
const names = ['x64', 'arm64'].flatMap((processor) => [
  `@img/sharp-linux-${processor}`,
  `@img/sharp-libvips-linux-${processor}`,
]);

type Locked = { name: string; version: string; integrity: string };

/** Returns the native packages of all server platforms as entries of a release, and their files below `root`. */
export async function nativePackages(root: string): Promise<{ entries: Entry[]; files: string[] }> {
  const folder = await downloaded(root, await lockedPackages(root));
  const files = (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(root.length));
  const needed = files.filter((file) =>
    /\/(package\.json|index\.(c?js)|[^/]+\.node|[^/]+\.so\.[\d.]+)$/.test(file),
  );
  const folders = ['', '@img/', ...names.flatMap((name) => [`${name}/`, `${name}/lib/`])];
  return {
    files,
    entries: [
      ...folders.map((name) => ({ name: `node_modules/${name}`, bytes: Buffer.alloc(0) })),
      ...(await Promise.all(
        needed.map(async (file) => ({
          name: file.slice(file.lastIndexOf('node_modules/')),
          bytes: await readFile(join(root, file)),
        })),
      )),
    ],
  };
}

async function lockedPackages(root: string): Promise<Locked[]> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  return names.map((name) => ({ name, ...packages[`node_modules/${name}`]! }));
}

/**
 * Downloads the packages once, verifies them against the lock file, and returns the folder below `root` that contains
 * them.
 */
async function downloaded(root: string, locked: Locked[]): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(locked)).digest('hex').slice(0, 12);
  const cache = 'node_modules/.cache/map-app';
  const folder = `${cache}/native-${key}/node_modules`;
  if ((await readdir(join(root, folder)).catch(() => [])).length > 0) return folder;
  const incoming = join(root, `${cache}/.native-${process.pid}`);
  try {
    for (const one of locked) await download(one, incoming);
    // A concurrent build may have finished first.
    await rename(incoming, join(root, `${cache}/native-${key}`)).catch((error: { code?: string }) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  return folder;
}

async function download({ name, version, integrity }: Locked, incoming: string): Promise<void> {
  const folder = join(incoming, 'node_modules', name);
  await mkdir(folder, { recursive: true });
  let archive: string;
  try {
    const { stdout } = await run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: incoming });
    archive = join(incoming, stdout.trim());
  } catch (error) {
    throw new Error(
      `The release needs the package ${name} ${version}, which npm cannot download: ${(error as Error).message} Connect to the registry and build again.`,
      { cause: error },
    );
  }
  const actual = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (actual !== integrity) {
    throw new Error(
      `The package ${name} ${version} is not the one that package-lock.json names. Check the registry.`,
    );
  }
  await run('tar', ['--extract', '--file', archive, '--strip-components=1', '--directory', folder]);
  await rm(archive);
}
