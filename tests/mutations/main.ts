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
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from '../run/command.ts';
import { withPostgresql } from '../run/postgresql.ts';
import { apiMutations } from './api.ts';
import { ApiTests } from './api-tests.ts';
import { coveringTests, measure, startsProcess } from './covering.ts';
import { machineMutations } from './machine.ts';
import type { Case } from './mutation.ts';

const help = `Usage: npm run test:mutations [-- [--check] [FILE...]]

Mutation testing of the API and of the program on the machine. Applies one mutation at a time to a copy of the sources
(tests/mutations/api.ts and machine.ts list them), and runs the unit tests: first those near the file, then the
others (in the API only those that execute the mutated text), on a real PostgreSQL if there is one. Prints the first
test that fails for each mutation, and the mutations that no test detects. Two run in parallel.

  FILE      only mutations of files whose paths contain this text, such as api/src/pins
  --check   only check that each mutation still applies to its file

The exit status is 1 if a mutation survives or no longer applies, and 2 for invalid arguments.
`;

const mutations = { ...apiMutations, ...machineMutations };

/** A process that runs more tests takes too much memory. */
const batchSize = 20;

/** What both workers need and one of them has begun: runs of tests without a mutation. */
const done = new Map<string, Promise<unknown>>();

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
  if (stale.length > 0) return 1;
  const broken = cases.filter((one) => !parses(one));
  for (const one of broken) print(`is not valid TypeScript: ${titleOf(one)}`);
  if (broken.length > 0 || options.values.check) return broken.length > 0 ? 1 : 0;
  return mutate(cases);
}

/** A source with a syntax error fails every test, so it would count as detected. */
function parses({ file, mutation: [from, to] }: Case): boolean {
  if (!file.endsWith('.ts')) return true;
  try {
    stripTypeScriptTypes(readFileSync(join(root, file), 'utf8').replace(from, () => to));
    return true;
  } catch {
    return false;
  }
}

function occurrences({ file, mutation: [from] }: Case): number {
  return existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8').split(from).length - 1 : 0;
}

/** Tries all mutations. Two run in parallel, each in its own copy of the sources. @returns the exit status */
async function mutate(cases: Case[]): Promise<number> {
  const queue = batchesOf(cases);
  const survivors: Case[] = [];
  const report: Report = (one, detection) => {
    if (!detection) survivors.push(one);
    print(`${detection ? 'detected' : 'SURVIVES'}  ${titleOf(one)}`);
    if (detection) print(`          by ${detection}`);
  };
  const work = async (database: string | null) => {
    const copy = copySources();
    try {
      for (let batch = queue.shift(); batch; batch = queue.shift())
        await tryBatch({ copy, database, report }, batch);
    } finally {
      rmSync(copy, { recursive: true });
    }
  };
  // Writes to any database of a cluster change the tags of responses, so each worker has its own.
  const worker = async () => {
    const hasCluster = await withPostgresql((url) => work(url).then(() => true));
    if (!hasCluster) await work(null);
  };
  await Promise.all([worker(), worker()]);
  print(`\n${cases.length - survivors.length} of ${cases.length} mutations were detected.`);
  for (const one of survivors) print(`survives: ${titleOf(one)}`);
  return survivors.length > 0 ? 1 : 0;
}

/** Returns the mutations in groups of the same folder, which have the same near tests. */
function batchesOf(cases: Case[]): Case[][] {
  const folders = Map.groupBy(cases, ({ file }) => dirname(file));
  return [...folders.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / batchSize) }, (_, number) =>
      all.slice(number * batchSize, (number + 1) * batchSize),
    ),
  );
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

/** Receives the failure of the first test that detects a mutation; undefined if none does. */
type Report = (one: Case, detection: string | undefined) => void;

/** Where a worker tries mutations. `database` is the URL of a real PostgreSQL, or null for the embedded one. */
type Place = { copy: string; database: string | null; report: Report };

/** Tries mutations of one folder. */
async function tryBatch(place: Place, batch: Case[]): Promise<void> {
  return isOfMachine(batch[0]!.file) ? tryMachine(place, batch) : tryApi(place, batch);
}

async function tryMachine({ copy, report }: Place, batch: Case[]): Promise<void> {
  for (const one of batch) {
    let detection: string | undefined;
    for (const specs of [nearTests(copy, one), ['machine']]) {
      if (detection || specs.length === 0) continue;
      await demandOnce(specs, () => pytestFailure(copy, specs));
      detection = await mutated(copy, one, () => pytestFailure(copy, specs));
    }
    report(one, detection);
  }
}

async function tryApi({ copy, database, report }: Place, batch: Case[]): Promise<void> {
  const tests = new ApiTests(copy, database);
  const near = nearTests(copy, batch[0]!);
  const tryNear = (one: Case) => mutated(copy, one, () => tests.failure(nearTests(copy, one), one.file));
  try {
    let found = await inTurn(batch, tryNear);
    // A mutation that left something behind may have made the tests of the next ones fail.
    if (found.some(Boolean) && (await tests.failure(near))) {
      tests.stop();
      await demandOnce(near, () => tests.failure(near));
      found = await inTurn(batch, (one) => {
        tests.stop();
        return tryNear(one);
      });
    }
    const undetected = batch.filter((one, index) => {
      if (found[index]) report(one, found[index]);
      return !found[index];
    });
    for (const one of undetected) {
      const covering = coveringTests(copy, one, await once('api', () => measure(copy, database)));
      const others = byRank(copy, one.file, covering).filter((test) => !near.includes(test));
      tests.stop();
      report(one, await mutated(copy, one, () => tests.failure(others, one.file)));
    }
  } finally {
    tests.stop();
  }
}

async function inTurn<Item, Result>(items: Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Runs tests while a file is mutated. */
async function mutated<Result>(copy: string, { file, mutation }: Case, work: () => Promise<Result>) {
  const [from, to] = mutation;
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  try {
    return await work();
  } finally {
    writeFileSync(path, original);
  }
}

/** Returns the tests of the same folder, or of the same module of the machine's program, sorted. */
function nearTests(copy: string, { file }: Case): string[] {
  const near = isOfMachine(file) ? `machine/tests/test_${basename(file)}` : `${dirname(file)}/*.test.ts`;
  return byRank(copy, file, globSync(near, { cwd: copy }));
}

/** Sorts tests: those that most likely detect a mutation of a file, and the fastest, come first. */
function byRank(copy: string, file: string, tests: string[]): string[] {
  const ranked = tests.map((test) => ({ test, rank: rankOf(copy, test, file) }));
  return ranked.toSorted((one, other) => one.rank - other.rank).map(({ test }) => test);
}

/** 0 for the test of this file, 1 for a test that imports it, 3 for a test that starts processes, 2 for another. */
function rankOf(copy: string, test: string, file: string): number {
  const name = basename(file, '.ts');
  if (basename(test) === `${name}.test.ts`) return 0;
  const text = readFileSync(join(copy, test), 'utf8');
  if (text.includes(`from './${name}.ts'`)) return 1;
  return startsProcess.test(text) ? 3 : 2;
}

/** Throws if tests fail without a mutation. Runs the same tests only once. */
async function demandOnce(specs: string[], run: () => Promise<string | undefined>): Promise<void> {
  const broken = await once(specs.join(), run);
  if (broken) throw new Error(`A test fails without a mutation. Fix it first. ${broken}`);
}

/** Does some work once for both workers, the first time that it is needed. Their copies are without a mutation then. */
function once<Value>(name: string, work: () => Promise<Value>): Promise<Value> {
  if (!done.has(name)) done.set(name, work());
  return done.get(name) as Promise<Value>;
}

async function pytestFailure(copy: string, specs: string[]): Promise<string | undefined> {
  const { code, output } = await run([`${root}.venv/bin/pytest`, '--exitfirst', '--quiet', ...specs], {
    cwd: copy,
    minutes: 30,
  });
  if (code === 0) return undefined;
  return output.split('\n').find((line) => /^(FAILED|ERROR) /.test(line)) ?? lastLine(output);
}

function lastLine(output: string): string {
  return output.trimEnd().split('\n').at(-1) ?? '';
}

function isOfMachine(file: string): boolean {
  return file.startsWith('machine');
}

function titleOf({ file, mutation }: Case): string {
  const [from, to] = mutation.map((text) => JSON.stringify(text.trim().replaceAll(/\s+/g, ' ')));
  return `${file}: ${from} -> ${to}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
