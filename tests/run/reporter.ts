import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { Duration } from './stage.ts';

const events = Mocha.Runner.constants;

/** The counts of a mocha run, which the reporter writes to the file in its option `tally`. */
export type MochaTally = { passed: number; failures: string[]; skipped: string[]; durations: Duration[] };

const seconds = (test: Mocha.Test) => `(${((test.duration ?? 0) / 1000).toFixed(1)} s)`;

/**
 * The mocha reporter of the test runner. Prints failures in full, and with `verbose` one line per test. Writes the counts to a file at the end,
 * so that a run that crashes has no counts and is treated as failed.
 */
export class TallyReporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { tally, verbose, label } = options.reporterOptions as Record<string, string | undefined>;
    const counts: MochaTally = { passed: 0, failures: [], skipped: [], durations: [] };
    const line = (text: string) => {
      if (verbose) process.stdout.write(`   ${label ? `${label}  ` : ''}${text}\n`);
    };

    const time = (run: Mocha.Runnable) =>
      counts.durations.push({ title: run.fullTitle(), seconds: (run.duration ?? 0) / 1000 });
    runner.on(events.EVENT_TEST_END, time);
    runner.on(events.EVENT_HOOK_END, time);
    let begun = 0;
    runner.on(events.EVENT_SUITE_BEGIN, (suite) => {
      if (!suite.parent?.root) return;
      begun = performance.now();
      line(suite.title);
    });
    runner.on(events.EVENT_SUITE_END, (suite) => {
      if (suite.parent?.root) line(`  ${suite.title}: ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    });
    runner.on(events.EVENT_TEST_PASS, (test) => {
      counts.passed += 1;
      line(`  ok      ${test.title} ${seconds(test)}`);
    });
    runner.on(events.EVENT_TEST_FAIL, (test, error: Error) => {
      const reason = error.message.split('\n')[0];
      counts.failures.push(`${test.fullTitle()}: ${reason}`);
      line(`  FAILED  ${test.title} ${seconds(test)}: ${reason}`);
    });
    runner.on(events.EVENT_TEST_PENDING, (test) => {
      counts.skipped.push(test.fullTitle());
      line(`  skipped ${test.title}`);
    });
    runner.once(events.EVENT_RUN_END, () => {
      Mocha.reporters.Base.list(this.failures);
      if (tally) writeFileSync(tally, JSON.stringify(counts));
    });
  }
}

// Mocha loads the default export of a reporter module.
export default TallyReporter;
