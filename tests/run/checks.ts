import { readFileSync, statSync } from 'node:fs';
import { have, installPackages, root, run } from './command.ts';
import { print } from './output.ts';
import { failure, leftOut, sum, type Tally } from './stage.ts';

type Check = {
  name: string;
  /** Too slow for `scripts/test quick`. */
  slow?: boolean;
  command: (files: string[]) => string[];
};

// Excludes templates, which are scripts only after rendering. A machine test checks them.
const isShell = (file: string) =>
  !file.endsWith('.j2') && /^#!.*\b(ba|da)?sh\b/.test(readFileSync(root + file, 'utf8').slice(0, 100));

const checks: Check[] = [
  { name: 'tsc: types', command: () => ['tsc'] },
  { name: 'oxlint: code', command: () => ['oxlint', '--type-aware', '--deny-warnings', 'api', 'tests'] },
  {
    name: 'prettier: format',
    command: () => ['prettier', '--check', '--log-level=warn', '**/*.{ts,json,md}'],
  },
  {
    name: 'shellcheck: shell scripts',
    command: (files) => ['shellcheck', '--external-sources', ...files.filter(isShell)],
  },
  { name: 'yamllint: YAML', command: () => ['yamllint', '--strict', '.'] },
  {
    name: 'role-readmes: READMEs, reference pages and argument specs',
    command: () => ['scripts/role-readmes', '--check'],
  },
  {
    name: 'Redocly and Spectral: the API definition',
    command: () => ['node', 'tests/openapi/lint.ts'],
  },
  {
    name: 'openapi-typescript: a client made from the API definition compiles',
    slow: true,
    command: () => ['node', 'tests/openapi/client.ts'],
  },
  { name: 'ruff: Python code', command: () => ['ruff', 'check', '--no-cache', '--quiet', '.'] },
  { name: 'ruff: Python format', command: () => ['ruff', 'format', '--no-cache', '--check', '--quiet', '.'] },
  { name: 'mypy: Python types', command: () => ['mypy', '--no-error-summary'] },
  {
    name: 'pytest: Python code of the machines and plugins',
    command: () => ['python', '-B', '-m', 'pytest', '--quiet'],
  },
  {
    name: 'ansible-lint: roles and playbooks',
    slow: true,
    command: () => ['ansible-lint', '--offline', '--nocolor', '-q', '--strict'],
  },
];

/** Runs the linters, two at a time, and prints the output of those that fail. */
export async function runChecks(quick: boolean): Promise<Tally> {
  const setup = await run(['scripts/setup', 'ansible', 'openapi'], { show: true });
  if (setup.code !== 0) return failure('scripts/setup failed');

  const listed = await run([
    'git',
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '--deduplicate',
  ]);
  const files = listed.output.split('\n').filter((file) => isFile(root + file));
  // The slowest first, so that the others run in parallel with it.
  const queue = checks.filter((check) => !(quick && check.slow)).toReversed();
  const tallies: Tally[] = [];
  const worker = async () => {
    for (let check = queue.shift(); check; check = queue.shift()) tallies.push(await runCheck(check, files));
  };
  await Promise.all([worker(), worker()]);
  return sum(tallies);
}

async function runCheck(check: Check, files: string[]): Promise<Tally> {
  const started = performance.now();
  const command = check.command(files);
  if (command[0] === 'shellcheck' && !(await haveShellcheck())) {
    return leftOut(`${check.name}: shellcheck is missing, and only root can install it`);
  }
  const { code, output } = await run(command);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(`   ${code === 0 ? 'ok    ' : 'FAILED'}  ${check.name} (${seconds} s)\n`);
  if (code === 0) return { passed: 1, failures: [], leftOut: [] };
  print(output);
  return failure(check.name);
}

async function haveShellcheck(): Promise<boolean> {
  return (await have('shellcheck')) || (await installPackages(['shellcheck']));
}

// git ls-files also lists links to folders, and deleted files before the commit.
const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
