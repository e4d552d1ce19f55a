import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './command.ts';
import { print } from './output.ts';
import type { MochaTally } from './reporter.ts';
import type { Tally } from './stage.ts';

/** How a stage runs mocha. */
export type MochaOptions = {
  /** Globs of the test files, which run in this order, and sorted within a glob. */
  specs: string[];
  /** Passes over the tests with `@slow` in their title. */
  withoutSlow?: boolean;
  /** A line a test as it ends, for tests that take long. */
  verbose?: boolean;
  /** Begins each of these lines, to tell runs apart that print at the same time. */
  label?: string;
  environment?: Record<string, string>;
  /** Passes over the tests whose names hold this. */
  except?: string;
  /** How long the whole run may take; default 10 minutes. */
  minutes?: number;
  /** How long one test may take; default 10 seconds. */
  seconds?: number;
};

/**
 * Runs mocha in a process of its own. No test found, no counts left behind, or an exit code that does not fit the
 * counts is a failure like a failed test.
 */
export async function runMocha(options: MochaOptions): Promise<Tally> {
  const files = options.specs.flatMap((spec) => globSync(spec, { cwd: root }).sort());
  if (files.length === 0) return failure(`No test file matches ${options.specs.join(', ')}.`);

  const folder = mkdtempSync(join(tmpdir(), 'map-app-tests-'));
  const tallyFile = join(folder, 'tally.json');
  try {
    const reporter = ['--reporter', './tests/run/reporter.ts', '--reporter-option', `tally=${tallyFile}`];
    if (options.verbose) reporter.push('--reporter-option', 'verbose=yes');
    if (options.label) reporter.push('--reporter-option', `label=${options.label}`);
    const limits = ['--timeout', String((options.seconds ?? 10) * 1000), '--forbid-only'];
    if (options.withoutSlow) limits.push('--grep', '@slow', '--invert');
    const { code, output } = await run(
      ['node', 'node_modules/.bin/mocha', ...reporter, ...limits, ...files],
      {
        ...(options.environment && { environment: options.environment }),
        show: options.verbose ?? false,
        minutes: options.minutes ?? 10,
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
    return failure(`${output}\nmocha ended with ${code} before it had counted its tests.`);
  }
  const { passed, failed, skipped, durations } = counts;
  if (failed > 0) print(output);
  if (passed + failed + skipped.length === 0) return failure(`${output}\nmocha found no test.`);
  if (failed === 0 && code !== 0) {
    return failure(`${output}\nmocha ended with ${code} although no test failed.`, passed);
  }
  return { passed, failed, leftOut: skipped, durations };
}

function failure(text: string, passed = 0): Tally {
  print(`${text}\n`);
  return { passed, failed: 1, leftOut: [] };
}
