import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './command.ts';
import { print } from './output.ts';
import type { MochaTally } from './reporter.ts';
import { failure, type Tally } from './stage.ts';

/** Options of a mocha run. */
export type MochaOptions = {
  /** Globs of the test files. They run in this order, sorted within each glob. */
  specs: string[];
  /** Skips tests with `@slow` in their title. */
  withoutSlow?: boolean;
  /** Prints a line after each test, for long runs. */
  verbose?: boolean;
  /** Prefix of these lines, to distinguish parallel runs. */
  label?: string;
  environment?: Record<string, string>;
  /** Timeout of the whole run in minutes, default 30. */
  minutes?: number;
  /** Timeout of one test in seconds. The default is in .mocharc.json. */
  seconds?: number;
};

/**
 * Runs mocha in a separate process. Finding no test, missing counts, or an exit status that contradicts the counts also count as a failure.
 */
export async function runMocha(options: MochaOptions): Promise<Tally> {
  const files = options.specs.flatMap((spec) => globSync(spec, { cwd: root }).sort());
  if (files.length === 0) return broken(`No test file matches ${options.specs.join(', ')}.`);

  const folder = mkdtempSync(join(tmpdir(), 'map-app-tests-'));
  const tallyFile = join(folder, 'tally.json');
  try {
    const reporter = ['--reporter', './tests/run/reporter.ts', '--reporter-option', `tally=${tallyFile}`];
    if (options.verbose) reporter.push('--reporter-option', 'verbose=yes');
    if (options.label) reporter.push('--reporter-option', `label=${options.label}`);
    const limits = ['--forbid-only'];
    if (options.seconds) limits.push('--timeout', String(options.seconds * 1000));
    if (options.withoutSlow) limits.push('--grep', '@slow', '--invert');
    const { code, output } = await run(
      ['node', 'node_modules/.bin/mocha', ...reporter, ...limits, ...files],
      {
        ...(options.environment && { environment: options.environment }),
        show: options.verbose ?? false,
        minutes: options.minutes ?? 30,
      },
    );
    return judge(code, options.verbose ? '' : output, tallyFile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function judge(code: number, output: string, tallyFile: string): Tally {
  let counts: MochaTally;
  try {
    counts = JSON.parse(readFileSync(tallyFile, 'utf8')) as MochaTally;
  } catch {
    return broken(`mocha exited with ${code} before it had written its counts.`, output);
  }
  const { passed, failures, skipped, durations } = counts;
  if (failures.length > 0) print(output);
  if (passed + failures.length + skipped.length === 0) return broken('mocha found no test.', output);
  if (failures.length === 0 && code !== 0) {
    return broken(`mocha exited with ${code} although no test failed.`, output, passed);
  }
  return { passed, failures, leftOut: skipped, durations };
}

function broken(what: string, output = '', passed = 0): Tally {
  print(`${output}\n${what}\n`);
  return failure(what, passed);
}
