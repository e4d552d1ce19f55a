import { globSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from '../run/command.ts';
import type { Coverage, FileCoverage } from './coverage-reporter.ts';
import type { Case } from './mutation.ts';

/** The test files of the API, what each of them executes, and what runs while the modules are loaded. */
export type Executed = { loading: Coverage; byTest: Map<string, Coverage> };

const allTests = 'api/src/**/*.test.ts';

// The coverage does not include the child processes that these start.
export const startsProcess = /child_process|testing\/(command|import|pictures|service)\.ts/;

/** Runs all tests of the API once, without a mutation. Throws if one fails. */
export async function measure(copy: string, database: string | null): Promise<Executed> {
  const output = join(copy, 'coverage.json');
  const sources = pathToFileURL(join(copy, 'api/src/')).href;
  const reporter = ['--reporter', './tests/mutations/coverage-reporter.ts'];
  const options = [`output=${output}`, `sources=${sources}`].flatMap((one) => ['--reporter-option', one]);
  const mocha = ['node', 'node_modules/.bin/mocha', '--exit', '--require', './tests/mutations/patient.ts'];
  const { code } = await run([...mocha, ...reporter, ...options, allTests], {
    cwd: copy,
    environment: database === null ? {} : { TEST_DATABASE_URL: database },
    minutes: 60,
  });
  if (code !== 0)
    throw new Error('Tests of the API fail without a mutation. Fix them first: scripts/test unit');
  const files = JSON.parse(readFileSync(output, 'utf8')) as FileCoverage[];
  rmSync(output);
  const inCopy = (coverage: Coverage): Coverage =>
    Object.fromEntries(
      Object.entries(coverage).map(([url, ranges]) => [relative(copy, fileURLToPath(url)), ranges]),
    );
  const [loading, ...tests] = files;
  return {
    loading: inCopy(loading!.coverage),
    byTest: new Map(tests.map(({ file, coverage }) => [relative(copy, file!), inCopy(coverage)])),
  };
}

/**
 * Returns the test files that can detect a mutation: those that execute its text or start processes. All of them if the text runs while
 * the modules are loaded, or in no test.
 */
export function coveringTests(copy: string, one: Case, { loading, byTest }: Executed): string[] {
  const all = globSync(allTests, { cwd: copy });
  if (executes(copy, one, loading)) return all;
  const covering = all.filter((test) => {
    const coverage = byTest.get(test);
    return coverage === undefined || executes(copy, one, coverage);
  });
  if (covering.length === 0) return all;
  return all.filter(
    (test) => covering.includes(test) || startsProcess.test(readFileSync(join(copy, test), 'utf8')),
  );
}

/** Whether any character of the mutated text was executed. The innermost range around a character has its count. */
function executes(copy: string, { file, mutation: [from] }: Case, coverage: Coverage): boolean {
  const start = readFileSync(join(copy, file), 'utf8').indexOf(from);
  const ranges = (coverage[file] ?? []).toSorted(
    (one, other) => one.endOffset - one.startOffset - (other.endOffset - other.startOffset),
  );
  return Array.from(from, (_, index) => start + index).some((at) => {
    const innermost = ranges.find(({ startOffset, endOffset }) => startOffset <= at && at < endOffset);
    return innermost !== undefined && innermost.count > 0;
  });
}
