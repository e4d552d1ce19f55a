import { hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Manifest } from '../../api/release/release.ts';
import { openTar, tar, type Entry } from '../../api/release/tar.ts';
import { root, run } from '../run/command.ts';

/** The difference between a variant and this checkout's release. */
type Patch = {
  /** JavaScript that runs at the start of the program. */
  start?: string;
  /** JavaScript that runs for each `request`. `answers`: number of requests so far; `next()`: handles the request normally. */
  request?: string;
  /** JavaScript of a migration. `step`: its transaction. */
  migration?: string;
};

// More requests than the deploy's trial sends, so the fault appears only after the trial.
const late = 'answers > 12';

/** The faults of a release. 'is sound' has none. */
// One case per line.
// prettier-ignore
export const patches = {
  'is sound': {},
  'refuses its configuration': { start: "if (process.argv[2] === 'check') { console.error('WANTED is required.'); process.exit(2); }" },
  'does not start': { start: "if (process.argv[2] === 'serve') throw new Error('broken on purpose');" },
  'is never ready': { request: `if (request.url === '/readyz') response.writeHead(503).end('{"message": "broken on purpose"}'); else next();` },
  'is ready and fails': { request: "if (request.url === '/api/questions') response.writeHead(500).end(); else next();" },
  'fails late': { request: `if (${late}) response.writeHead(500).end(); else next();` },
  hangs: { request: `if (${late}) for (;;); else next();` },
  crashes: { request: `if (${late}) process.exit(1); else next();` },
  leaks: { request: `if (${late}) leaked.push(Buffer.alloc(10e6, answers)); next();` },
  'has a migration that fails': { migration: "step.raw('select 1 / 0')" },
  'has a migration that waits for a lock': { migration: "step.raw('alter table pin add column broken text')" },
  'expands the schema': { migration: "step.raw('create table if not exists expanded (id bigint)')" },
} satisfies Record<string, Patch>;

export type Kind = keyof typeof patches;

/** A release in a folder for map_app_dist. */
export type Variant = { version: string; dist: string };

/** The folders of this process's variants. They have 32 MB each, and are removed with the process unless a person made them. */
const folders: string[] = [];
if (!import.meta.main) {
  process.once('exit', () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
}

/** Built once for each process, because a build takes seconds. */
let release: Promise<Built> | undefined;

/**
 * Creates a unique release without a build: unpacks, patches and repacks the archive of this checkout's release. Each variant delays a request
 * with a header `X-Slow` by that many milliseconds.
 */
export async function makeVariant(kind: Kind = 'is sound'): Promise<Variant> {
  const built = await (release ??= readBuilt());
  const { start = '', request = 'next();', migration }: Patch = patches[kind];
  const suffix = hash('sha256', Buffer.from(`${process.pid} ${folders.length} ${Date.now()}`)).slice(0, 12);
  const step = `9${suffix}-${kind.replaceAll(' ', '-')}`;
  const manifest: Manifest = {
    ...built.manifest,
    version: built.manifest.version.replace(/[0-9a-f]{12}$/, suffix),
    ...(migration && { schema: step }),
  };
  // Inserted after the first two lines: the shebang, and the definition of `require`.
  const program = built.program
    .replace(/^(.*\n.*\n)/, (head) => `${head}${start}\n${intercept(request)}\n`)
    .replace(/^(var migrations = \[[^\]]*)\];$/m, (whole, list: string) =>
      migration ? `${list}, { name: '${step}', up: (step) => ${migration} }];` : whole,
    );
  if (migration && !program.includes(step))
    throw new Error('The list of migrations was not found in the built program.');
  const own = tar([
    { name: 'map-app.mjs', bytes: Buffer.from(program) },
    { name: 'manifest.json', bytes: Buffer.from(JSON.stringify(manifest)) },
  ]);
  // A gzip file may have several members.
  const archive = Buffer.concat([built.others, gzipSync(own, { level: 1 })]);
  const dist = mkdtempSync(join(tmpdir(), 'map-app-variant-'));
  folders.push(dist);
  const name = `map-app-${manifest.version}.tar.gz`;
  writeFileSync(join(dist, name), archive);
  writeFileSync(
    join(dist, 'release.json'),
    JSON.stringify({ ...manifest, archive: name, sha256: hash('sha256', archive) }),
  );
  return { version: manifest.version, dist };
}

const intercept = (fault: string) => `
import { Server as PatchedServer } from 'node:http';
{
  const leaked = [], emit = PatchedServer.prototype.emit;
  let answers = 0;
  PatchedServer.prototype.emit = function (event, request, response) {
    if (event !== 'request') return emit.apply(this, arguments);
    answers += 1;
    const next = () => setTimeout(() => emit.call(this, event, request, response), Number(request.headers['x-slow'] ?? 0));
    ${fault}
    return true;
  };
}`;

/** The built release. `others`: the start of a .tar.gz with the files and folders that no variant changes. */
type Built = { manifest: Manifest; program: string; others: Buffer };

async function readBuilt(): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-built-'));
  mkdirSync(join(root, 'dist'), { recursive: true });
  const build = await run(['npm', 'run', '--silent', 'build']);
  const { archive } = JSON.parse(readFileSync(join(root, 'dist/release.json'), 'utf8')) as {
    archive: string;
  };
  const unpack = await run(['tar', '--extract', '--file', `dist/${archive}`, '--directory', folder]);
  if (build.code !== 0 || unpack.code !== 0) throw new Error(build.output + unpack.output);
  const others: Entry[] = readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, name: relative(folder, join(entry.parentPath, entry.name)) }))
    .filter(({ name }) => !['manifest.json', 'map-app.mjs'].includes(name))
    .map(({ entry, name }) =>
      entry.isDirectory()
        ? { name: `${name}/`, bytes: Buffer.alloc(0) }
        : { name, bytes: readFileSync(join(folder, name)) },
    );
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  const program = readFileSync(join(folder, 'map-app.mjs'), 'utf8');
  rmSync(folder, { recursive: true });
  return { manifest, program, others: gzipSync(openTar(others), { level: 1 }) };
}

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await makeVariant(process.argv[2] as Kind))}\n`);
}
