import { parseArgs } from 'node:util';
import { machinesCannotRun } from '../run/machines.ts';

/**
 * Runs the command line of a benchmark: `--help`, one option without a value, and the check that machines can run here.
 * @param option the name of the option
 * @param bench runs the benchmark with or without the option, and returns the exit status
 * @returns the exit status: 2 for invalid arguments, 1 if no machine can run, otherwise that of the benchmark
 */
export async function benchCommand(
  args: string[],
  help: string,
  option: string,
  bench: (given: boolean) => Promise<number>,
): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ args, options: { help: { type: 'boolean' }, [option]: { type: 'boolean' } } }));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (values['help']) {
    process.stdout.write(help);
    return 0;
  }
  const reason = await machinesCannotRun();
  if (reason) {
    process.stderr.write(
      `The benchmark needs a throwaway machine, which cannot run on this host: ${reason}.\n`,
    );
    return 1;
  }
  return bench(values[option] === true);
}
