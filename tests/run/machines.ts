import { globSync } from 'node:fs';
import { run } from './command.ts';
import { assignLanes, type Lane } from './lanes.ts';
import { runMocha } from './mocha.ts';
import { print } from './output.ts';
import { sum, type Tally } from './stage.ts';

/**
 * Returns the SANDBOX name of a test machine. Concurrent test runs on one host need different prefixes: TEST_MACHINES=<prefix>.
 */
export const machineName = (suite: string, prefix = ownPrefix()): string => `${prefix}-${suite}`;

const ownPrefix = (): string => process.env['TEST_MACHINES'] ?? 'test';

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
  if (setup.code !== 0) return { passed: 0, failed: 1, leftOut: [] };

  const lanes = assignLanes(files.length > 0 ? files : globSync('tests/machine/*.test.ts'));
  // Ctrl-C ends mocha. This process ignores it, so that it can remove the machines.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  try {
    const ended = await Promise.all(lanes.map(runLane));
    const tally = sum(ended.map((lane) => lane.tally));
    for (const { name, seconds } of ended) print(`   lane ${name}: ${duration(seconds)}\n`);
    return tally;
  } finally {
    process.off('SIGINT', wait);
  }
}

async function runLane({ name, files }: Lane): Promise<{ name: string; tally: Tally; seconds: number }> {
  const started = performance.now();
  const prefix = `${ownPrefix()}-${name}`;
  try {
    const tally = await runMocha({
      specs: files,
      verbose: true,
      label: name.padEnd(8),
      minutes: 75,
      seconds: 600,
      environment: { TEST_MACHINES: prefix },
    });
    return { name, tally, seconds: (performance.now() - started) / 1000 };
  } finally {
    // Immediately, to free the memory for the other lanes.
    if (!process.env['KEEP_MACHINES']) await removeMachines(prefix);
  }
}

const duration = (seconds: number) => `${seconds.toFixed(0)} s`;

async function removeMachines(prefix: string): Promise<void> {
  for (const suite of ['trixie', 'bookworm', 'forky', 'ubuntu', 'repository', 'journey', 'backups']) {
    const { code, output } = await run(['sandbox/sandbox', 'down'], {
      environment: { SANDBOX: machineName(suite, prefix) },
    });
    if (code !== 0) print(output);
  }
}
