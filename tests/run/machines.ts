import { globSync } from 'node:fs';
import { run } from './command.ts';
import { runMocha } from './mocha.ts';
import { sum, type Tally } from './stage.ts';

/**
 * The sandbox's name for the tests' machine of a Debian suite: none that a developer would choose. Two checkouts that test at the same time
 * need machines of their own: TEST_MACHINES=<another beginning of the name>.
 */
export const machineName = (suite: string, prefix = ownPrefix()): string => `${prefix}-${suite}`;

const ownPrefix = (): string => process.env['TEST_MACHINES'] ?? 'test';

/** Tests on machines of their own that measure no time: they run beside the rest, which shares one machine. */
const beside = /\/(0-bad-input|6-deploys|7-\w+|9-systems)\.test\.ts$/;

/** @returns why no throwaway machine can run here, or undefined where it can */
export async function machinesCannotRun(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'they need root';
  const namespaces = await run(['unshare', '--mount', '--pid', '--net', '--fork', 'true']);
  if (namespaces.code !== 0) return `this machine allows no namespaces (${namespaces.output.trim()})`;
  return undefined;
}

/** Runs the tests that need whole machines, and removes the machines however the tests end. */
export async function runMachineTests(files: string[]): Promise<Tally> {
  const setup = await run(['scripts/setup', 'ansible', 'machines'], { show: true });
  if (setup.code !== 0) return { passed: 0, failed: 1, leftOut: [] };

  const specs = files.length > 0 ? files : globSync('tests/machine/*.test.ts');
  const lanes = [
    { prefix: ownPrefix(), specs: specs.filter((file) => !beside.test(file)) },
    { prefix: `${ownPrefix()}-beside`, specs: specs.filter((file) => beside.test(file)) },
  ].filter((lane) => lane.specs.length > 0);
  // An interrupt ends mocha, not the removal of the machines.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  try {
    return sum(
      await Promise.all(
        lanes.map((lane) =>
          runMocha({
            specs: lane.specs,
            verbose: true,
            minutes: 75,
            seconds: 600,
            environment: { TEST_MACHINES: lane.prefix },
          }),
        ),
      ),
    );
  } finally {
    process.off('SIGINT', wait);
    if (!process.env['KEEP_MACHINES']) await removeMachines(lanes.map(({ prefix }) => prefix));
  }
}

async function removeMachines(prefixes: string[]): Promise<void> {
  for (const prefix of prefixes) {
    for (const suite of ['trixie', 'bookworm', 'forky', 'ubuntu', 'repository']) {
      const { code, output } = await run(['sandbox/sandbox', 'down'], {
        environment: { SANDBOX: machineName(suite, prefix) },
      });
      if (code !== 0) process.stdout.write(output);
    }
  }
}
