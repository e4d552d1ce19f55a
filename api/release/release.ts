import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { preparedIndex } from '../src/addresses/prepare.ts';
import { requiredSchema } from '../src/database/migrate.ts';
import { readUiFile, uiFiles, uiPackage } from '../src/docs/files.ts';
import { cachedFile, preparedFile, sourceFiles } from '../src/geocoder/prepare.ts';
import { shippedPicture, shippedPictures } from '../src/pictures/shipped.ts';
import { nativePackages } from './native.ts';
import { billOfMaterials, licenceText, packagesOf } from './packages.ts';
import { type Entry, openTar, tar } from './tar.ts';

/**
 * The manifest of a release, which programs read. `commit` is the last commit that changed the API's sources. `places`
 * is the version of the place names: releases with the same version give a point the same names.
 */
export type Manifest = { version: string; commit: string; schema: string; places: string };

export type Release = { manifest: Manifest; archive: () => Promise<Buffer> };

/** Drivers of other databases, and modules that only a source tree needs. A release never loads them. */
const absentModules = [
  './prepare.ts',
  '@electric-sql/pglite',
  'better-sqlite3',
  'mariadb',
  'mysql',
  'mysql2',
  'oracledb',
  'pg-native',
  'pg-query-stream',
  'sqlite3',
  'tedious',
];

/**
 * Builds the release of the source tree at `root`. The version identifies the content: the same sources and packages
 * give the same version on every machine.
 */
export async function makeRelease(root: string, progress: (step: string) => void): Promise<Release> {
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  progress('bundle the API');
  const { programs, files } = await bundle(root);
  progress('collect the native packages');
  const native = await nativePackages(root);
  progress('prepare the place names');
  const places = await readFile(await preparedFile());
  const addresses = await readFile(await preparedIndex());

  const packages = packagesOf(root, [
    ...files,
    ...native.files,
    ...Object.values(sourceFiles).map((file) => `node_modules/${file}`),
    `node_modules/${uiPackage}/`,
  ]);
  const ui = Object.keys(uiFiles).map(async (name) => ({
    name: `data/docs/${name}`,
    bytes: await readUiFile(name),
  }));
  // These change only with the packages, with Node or with the code that prepares the places. The other entries take a
  // tenth of the time to compress.
  const lasting: Entry[] = [
    ...native.entries,
    { name: 'data/', bytes: Buffer.alloc(0) },
    { name: 'data/places.bin', bytes: places },
    { name: 'data/addresses.bin', bytes: addresses },
  ];
  const changing: Entry[] = [
    ...programs,
    { name: 'data/docs/', bytes: Buffer.alloc(0) },
    ...(await Promise.all(ui)),
    ...shippedPictures.map((name) => ({ name: `data/${name}`, bytes: shippedPicture(name) })),
    { name: 'LICENSES.txt', bytes: Buffer.from(licenceText(packages)) },
    { name: 'sbom.json', bytes: Buffer.from(billOfMaterials({ name, version }, packages)) },
  ];
  const manifest: Manifest = {
    version: `${version}-${hash('sha256', tar([...lasting, ...changing])).slice(0, 12)}`,
    commit: lastCommit(root),
    schema: requiredSchema,
    places: hash('sha256', places).slice(0, 12),
  };
  const manifestFile = {
    name: 'manifest.json',
    bytes: Buffer.from(JSON.stringify(manifest, null, 2) + '\n'),
  };
  return {
    manifest,
    archive: async () =>
      Buffer.concat([await compressOnce(openTar(lasting)), compress(tar([...changing, manifestFile]))]),
  };
}

/**
 * Returns the programs, each bundled into one file with all imports except native packages, and the list of the bundled
 * files.
 */
async function bundle(root: string): Promise<{ programs: Entry[]; files: string[] }> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { 'map-app': 'api/src/cli.ts', pictures: 'api/src/pictures/child.ts' },
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    // CommonJS packages call require, which ES modules lack.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    external: absentModules,
    preserveSymlinks: true, // real paths would put the location of node_modules into the bundle
    legalComments: 'inline',
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const programs = outputFiles.map(({ path, contents }) => ({ name: basename(path), bytes: contents }));
  return { programs, files: Object.keys(metafile.inputs) };
}

/** Returns the compressed bytes, from the cache if an earlier build has compressed them. */
async function compressOnce(bytes: Buffer): Promise<Buffer> {
  const name = `compressed-${hash('sha256', bytes).slice(0, 12)}.gz`;
  return readFile(await cachedFile(name, () => compress(bytes)));
}

/** Returns a member of a gzip file. Such a file may have several. */
function compress(archive: Buffer): Buffer {
  const compressed = gzipSync(archive);
  compressed[9] = 255; // operating system: unknown, so that builds are reproducible
  return compressed;
}

function lastCommit(root: string): string {
  const sources = ['api', 'package.json', 'package-lock.json'];
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args, '--', ...sources], { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    return git('log', '-1', '--format=%H') + (git('status', '--porcelain') ? '-modified' : '');
  } catch {
    return 'unknown'; // not a checkout
  }
}
