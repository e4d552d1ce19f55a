import { Session, type Profiler } from 'node:inspector';
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** The ranges of each source by its URL, each with the number of executions since the previous test file. */
export type Coverage = Record<string, Profiler.CoverageRange[]>;

/** What one test file executed. `file` is null for the code that ran while the modules were loaded. */
export type FileCoverage = { file: string | null; coverage: Coverage };

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/**
 * A mocha reporter that writes what each test file executed to the file in its option `output`. Does not see child processes.
 */
export default class CoverageReporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { output, sources } = options.reporterOptions as { output: string; sources: string };
    const files: FileCoverage[] = [];
    let file: string | null = null;
    const take = (next: string | null) => {
      if (next === file) return;
      files.push({ file, coverage: taken(sources) });
      file = next;
    };
    runner.on('suite', (suite) => {
      if (suite.parent?.root) take(suite.file ?? null);
    });
    runner.once('end', () => {
      take(null);
      writeFileSync(output, JSON.stringify(files));
    });
  }
}

/** Returns the coverage since the previous call, of the scripts whose URL begins with `sources`. */
function taken(sources: string): Coverage {
  const coverage: Coverage = {};
  // The callback runs before `post` returns.
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error) throw error;
    for (const { url, functions } of result)
      if (url.startsWith(sources) && !url.endsWith('.test.ts'))
        coverage[url] = functions.flatMap(({ ranges }) => ranges);
  });
  return coverage;
}
