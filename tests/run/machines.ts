import { existsSync, globSync, readdirSync } from 'node:fs';
import { run } from './command.ts';
import { runMocha } from './mocha.ts';
import { print } from './output.ts';
import { nameOf, Queue } from './queue.ts';
import { failure, sum, type Tally } from './stage.ts';

/** The folder of the throwaway machines on this host. */
export const sandboxes = '/var/lib/map-app-sandbox';

/** As many as the two cores of CI can keep busy, because the tests often wait. */
const lanes = ['a', 'b', 'c'];

const runName = (): string => process.env['TEST_MACHINES'] ?? 'test';

/** The prefix of the names of a test file's machines. */
const prefixOf = (file = process.env['TEST_FILE'] ?? 'file'): string => `${runName()}-${file}-`;

/**
 * Returns the SANDBOX name of a machine of the running test file. Concurrent test runs on one host need different names:
 * TEST_MACHINES=<name>.
 */
export const machineName = (suite: string): string => `${prefixOf()}${suite}`;

/** @returns the SANDBOX name of the machine whose copies are the provisioned machines of this test run */
export const baseName = (): string => `${runName()}-base`;

/** @returns the reason why no throwaway machine can run on this host, or undefined if it can */
export async function machinesCannotRun(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'they need root';
  const namespaces = await run(['unshare', '--mount', '--pid', '--net', '--fork', 'true']);
  if (namespaces.code !== 0) return `this host does not allow namespaces (${namespaces.output.trim()})`;
  return undefined;
}

/** Runs the machine tests, all lanes in parallel, and removes the machines at the end. */
export async function runMachineTests(files: string[]): Promise<Tally> {
  const setup = await run(['scripts/setup', 'ansible', 'machines'], { show: true });
  if (setup.code !== 0) return failure('scripts/setup failed');

  const queue = new Queue(files.length > 0 ? files : globSync('tests/machine/**/*.test.ts'));
  // Ctrl-C ends mocha. This process ignores it, so that it can remove the machines.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  try {
    return sum(await Promise.all(lanes.map((name) => runLane(name, queue))));
  } finally {
    if (!process.env['KEEP_MACHINES']) await removeMachine(baseName());
    process.off('SIGINT', wait);
  }
}

/** Runs files of the queue until none is left, then prints how long each took. */
async function runLane(lane: string, queue: Queue): Promise<Tally> {
  const tallies: Tally[] = [];
  const times: string[] = [];
  const started = performance.now();
  for (let file = queue.take(); file !== undefined; file = queue.take()) {
    const begun = performance.now();
    tallies.push(await runFile(file));
    queue.ended(file);
    times.push(`${nameOf(file)} ${duration(begun)}`);
  }
  if (times.length > 0) print(`   lane ${lane}: ${duration(started)} (${times.join(', ')})\n`);
  return sum(tallies);
}

async function runFile(file: string): Promise<Tally> {
  const name = nameOf(file);
  try {
    return await runMocha({
      specs: [file],
      verbose: true,
      label: name.padEnd(12),
      minutes: Number(process.env['TEST_MINUTES'] ?? 75),
      // The first test files wait for the provisioned machine, and a busy host provisions several times slower.
      seconds: 1800,
      environment: { TEST_FILE: name },
    });
  } finally {
    // Immediately, to free the memory for the other lanes.
    if (!process.env['KEEP_MACHINES']) await removeMachines(prefixOf(name));
  }
}

const duration = (since: number) => `${((performance.now() - since) / 1000).toFixed(0)} s`;

async function removeMachines(prefix: string): Promise<void> {
  const names = existsSync(sandboxes) ? readdirSync(sandboxes) : [];
  for (const name of names.filter((name) => name.startsWith(prefix))) await removeMachine(name);
}

async function removeMachine(name: string): Promise<void> {
  const { code, output } = await run(['sandbox/sandbox', 'down'], { environment: { SANDBOX: name } });
  if (code !== 0) print(output);
}
