import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from '../run/command.ts';
import { apiMutations } from './api.ts';
import { machineMutations } from './machine.ts';
import type { Mutation } from './mutation.ts';

const help = `Usage: npm run test:mutations [-- [--check] [FILE...]]

Mutation testing of the API and of the program on the machine. Applies one mutation at a time to a copy of the sources
(tests/mutations/api.ts and machine.ts list them), and runs the unit tests: first those near the file, then all.
Prints the mutations that no test detects. Two run in parallel. All files take several hours, those of machine/ 15 minutes.

  FILE      only mutations of files whose paths contain this text, such as api/src/pins
  --check   only check that each mutation still applies to its file

The exit status is 1 if a mutation survives or no longer applies, and 2 for invalid arguments.
`;

const mutations = { ...apiMutations, ...machineMutations };

type Case = { file: string; mutation: Mutation };

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options;
  try {
    options = parseArgs({
      args,
      allowPositionals: true,
      options: { help: { type: 'boolean' }, check: { type: 'boolean' } },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (options.values.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = Object.keys(mutations).filter(
    (file) => options.positionals.length === 0 || options.positionals.some((part) => file.includes(part)),
  );
  const cases = chosen.flatMap((file) => mutations[file]!.map((mutation) => ({ file, mutation })));
  if (cases.length === 0) {
    process.stderr.write(`No mutations for ${options.positionals.join(', ')}.\n`);
    return 2;
  }
  const stale = cases.filter((one) => occurrences(one) !== 1);
  for (const one of stale)
    print(`does not apply, because its text occurs ${occurrences(one)} times: ${titleOf(one)}`);
  if (stale.length > 0 || options.values.check) return stale.length > 0 ? 1 : 0;
  return mutate(cases);
}

function occurrences({ file, mutation: [from] }: Case): number {
  return existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8').split(from).length - 1 : 0;
}

/** Tries all mutations. Two run in parallel, each in its own copy of the sources. @returns the exit status */
async function mutate(cases: Case[]): Promise<number> {
  const queue = [...cases];
  const survivors: Case[] = [];
  const worker = async () => {
    const copy = copySources();
    try {
      for (const file of ['api/', 'machine/'].filter((part) =>
        cases.some((one) => one.file.startsWith(part)),
      ))
        if (!(await passes(copy, tests(file))))
          throw new Error(`The unit tests of ${file} fail without a mutation. Fix the failures first.`);
      for (let one = queue.shift(); one; one = queue.shift()) {
        const caughtBy = await tryOne(copy, one);
        if (!caughtBy) survivors.push(one);
        print(`${(caughtBy ?? 'SURVIVES').padEnd(8)}  ${titleOf(one)}`);
      }
    } finally {
      rmSync(copy, { recursive: true });
    }
  };
  await Promise.all([worker(), worker()]);
  print(`\n${cases.length - survivors.length} of ${cases.length} mutations were detected.`);
  for (const one of survivors) print(`survives: ${titleOf(one)}`);
  return survivors.length > 0 ? 1 : 0;
}

/** Copies the tracked files, and links the packages of this checkout. @returns the folder of the copy */
function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'map-app-mutations-'));
  const files = execFileSync('git', ['ls-files', '-z'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter((name) => name && existsSync(join(root, name))))
    // Recursive, because a link to a folder counts as a folder.
    cpSync(join(root, file), join(copy, file), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** @returns which tests detect the mutation: `near` or `all`; undefined if none does */
async function tryOne(copy: string, { file, mutation: [from, to] }: Case): Promise<string | undefined> {
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  try {
    const near = nearTests(file);
    if (globSync(near, { cwd: copy }).length > 0 && !(await passes(copy, tests(file, near)))) return 'near';
    if (!(await passes(copy, tests(file)))) return 'all';
    return undefined;
  } finally {
    writeFileSync(path, original);
  }
}

/** Returns the tests that most likely detect a mutation: those of the same folder, or of the same module of the machine's program. */
function nearTests(file: string): string {
  return isOfMachine(file) ? `machine/tests/test_${basename(file)}` : `${dirname(file)}/*.test.ts`;
}

/** Returns the command that runs tests of the part that a file belongs to: all, or those in `specs`. */
function tests(file: string, specs?: string): string[] {
  if (isOfMachine(file)) return [`${root}.venv/bin/pytest`, '--exitfirst', '--quiet', specs ?? 'machine'];
  const mocha = ['node', 'node_modules/.bin/mocha', '--bail', '--timeout', '20000', '--reporter', 'dot'];
  return [...mocha, specs ?? 'api/src/**/*.test.ts'];
}

function isOfMachine(file: string): boolean {
  return file.startsWith('machine/');
}

async function passes(copy: string, command: string[]): Promise<boolean> {
  return (await run(command, { cwd: copy, minutes: 30 })).code === 0;
}

function titleOf({ file, mutation }: Case): string {
  const [from, to] = mutation.map((text) => JSON.stringify(text.trim().replaceAll(/\s+/g, ' ')));
  return `${file}: ${from} -> ${to}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
