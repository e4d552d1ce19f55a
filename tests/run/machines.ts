import { run } from './command.ts';
import { runMocha } from './mocha.ts';
import type { Tally } from './stage.ts';

/**
 * The sandbox's name for the tests' machine of a Debian suite: none that a developer would choose. Two checkouts that test at the same time
 * need machines of their own: TEST_MACHINES=<another beginning of the name>.
 */
export const machineName = (suite: string): string => `${process.env['TEST_MACHINES'] ?? 'test'}-${suite}`;

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

  const specs = files.length > 0 ? files : ['tests/machine/*.test.ts'];
  // An interrupt ends mocha, not the removal of the machines.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  try {
    return await runMocha({ specs, verbose: true, minutes: 60, seconds: 600 });
  } finally {
    process.off('SIGINT', wait);
    if (!process.env['KEEP_MACHINES']) await removeMachines();
  }
}

async function removeMachines(): Promise<void> {
  for (const suite of ['trixie', 'bookworm', 'forky', 'ubuntu', 'repository']) {
    const { code, output } = await run(['sandbox/sandbox', 'down'], {
      environment: { SANDBOX: machineName(suite) },
    });
    if (code !== 0) process.stdout.write(output);
  }
}
