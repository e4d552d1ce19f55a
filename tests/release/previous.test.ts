import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run } from '../run/command.ts';
import { withPostgresql } from '../run/postgresql.ts';

const migrations = 'api/src/database/migrations';

// Whatever asks the tables; the rest does not care about the schema.
const features = 'animals,cities,counts,donations,pins,reports,retention,staff,survey';

async function git(...args: string[]): Promise<string> {
  const { code, output } = await run(['git', ...args]);
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${output}`);
  return output.trim();
}

/** The last commit that knew the schema before the present one. */
async function commitBefore(): Promise<string> {
  if (await git('status', '--porcelain', '--', migrations)) return git('rev-parse', 'HEAD');
  const changed = await git('log', '-1', '--format=%H', '--', migrations);
  return git('rev-parse', `${changed}^`);
}

// A deploy migrates first, and a rollback never does: the release before serves on the schema after.
describe('The release before the last change of the schema', () => {
  let folder: string;

  before('take its sources, and the migrations of now', async () => {
    const commit = await commitBefore();
    mkdirSync(join(root, 'dist'), { recursive: true });
    folder = mkdtempSync(join(root, 'dist/test-previous-'));
    await run(['sh', '-ec', `git archive ${commit} api .mocharc.json package.json | tar --extract --directory ${folder}`]); // prettier-ignore
    // Also holds the place names, which are made once.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    rmSync(join(folder, migrations), { recursive: true });
    // What empties the tables between the tests of then knows nothing of tables that were added since.
    const support = join(folder, 'api/src/testing/api.ts');
    writeFileSync(
      support,
      readFileSync(support, 'utf8').replace(/restart identity(?! cascade)/, '$& cascade'),
    );
    cpSync(join(root, migrations), join(folder, migrations), { recursive: true });
  });

  after('remove them', () => rmSync(folder, { recursive: true }));

  it('passes its tests on the schema of now', async function () {
    this.timeout(300_000);
    const tests = ['sh', '-ec', `cd ${folder} && node ${root}node_modules/.bin/mocha --exit --grep @slow --invert 'api/src/{${features}}/**/*.test.ts'`]; // prettier-ignore
    const ended =
      (await withPostgresql((url) => run(tests, { environment: { TEST_DATABASE_URL: url } }))) ??
      (await run(tests));
    expect(ended.code, ended.output).to.equal(0);
    expect(ended.output).to.match(/[1-9]\d* passing/);
  });
});
