import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run } from '../run/command.ts';
import { withPostgresql } from '../run/postgresql.ts';

const migrations = 'api/src/database/migrations';

// The features that query the tables. The others do not depend on the schema.
const features = 'animals,cities,counts,donations,pins,reports,retention,staff,survey';

async function git(...args: string[]): Promise<string> {
  const { code, output } = await run(['git', ...args]);
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${output}`);
  return output.trim();
}

/** Returns the last commit before the latest change of the schema. Only a new migration changes it, so other commits to the folder do not count. */
async function commitBefore(): Promise<string> {
  if (/^(A|\?\?) /m.test(await git('status', '--porcelain', '--', migrations)))
    return git('rev-parse', 'HEAD');
  const changed = await git('log', '-1', '--diff-filter=A', '--format=%H', '--', migrations);
  return git('rev-parse', `${changed}^`);
}

// A deploy migrates before it restarts the workers, and a rollback never migrates, so the previous release must work with the current schema.
describe('The release before the latest change of the schema', () => {
  let folder: string;

  before('check out its sources, with the current migrations', async () => {
    const commit = await commitBefore();
    mkdirSync(join(root, 'dist'), { recursive: true });
    folder = mkdtempSync(join(root, 'dist/test-previous-'));
    await run([
      'sh',
      '-ec',
      `git archive ${commit} api .mocharc.json package.json | tar --extract --directory ${folder}`,
    ]);
    // The place names, which are generated once, are in node_modules too.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    rmSync(join(folder, migrations), { recursive: true });
    // The old code that empties the tables between tests does not include tables that were added later, so it must cascade.
    const support = join(folder, 'api/src/testing/api.ts');
    writeFileSync(
      support,
      readFileSync(support, 'utf8').replace(/restart identity(?! cascade)/, '$& cascade'),
    );
    cpSync(join(root, migrations), join(folder, migrations), { recursive: true });
  });

  after('remove the sources', () => rmSync(folder, { recursive: true }));

  it('passes its tests on the current schema', async function () {
    this.timeout(1_200_000);
    const tests = [
      'sh',
      '-ec',
      `cd ${folder} && node ${root}node_modules/.bin/mocha --exit --timeout 60000 --grep @slow --invert 'api/src/{${features}}/**/*.test.ts'`,
    ];
    const ended =
      (await withPostgresql((url) => run(tests, { environment: { TEST_DATABASE_URL: url }, minutes: 20 }))) ??
      (await run(tests, { minutes: 20 }));
    expect(ended.code, ended.output).to.equal(0);
    expect(ended.output).to.match(/[1-9]\d* passing/);
  });
});
