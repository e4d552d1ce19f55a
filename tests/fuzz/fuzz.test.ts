import { join } from 'node:path';
import { expect } from 'chai';
import { importFiles } from '../../api/src/import/import.ts';
import { staffEmail, start } from '../../api/src/testing/api.ts';
import { freshDatabase, type TestDatabase } from '../../api/src/testing/database.ts';
import { root, run } from '../run/command.ts';

/** FUZZ_CASES=5000 looks deeper; a run with the same FUZZ_SEED asks the same. */
const cases = process.env['FUZZ_CASES'] ?? '300';
const seed = process.env['FUZZ_SEED'] ?? '1';

const example = join(root, 'api/example');

/** What there is to find, change and delete. */
async function fill({ db }: TestDatabase): Promise<void> {
  await importFiles(db, {
    animals: `${example}/AnimalLocations.csv`,
    questions: `${example}/questions.txt`,
    options: `${example}/options.txt`,
    pins: `${example}/pins.csv`,
  });
  await db.raw('insert into visitor_response (option_id) select id from option');
  await db.raw('insert into donation_visit default values');
}

/** Fuzzes an API of its own, on a database of its own, and tells what was found. */
async function fuzz(headers: string[]) {
  const database = await freshDatabase();
  await fill(database);
  const api = await start(database, () => ({
    donationUrl: 'https://donate.example.org/',
    mailer: async () => undefined,
  }));
  try {
    const { code, output } = await run(
      [
        'tests/fuzz/.venv/bin/schemathesis',
        '--config-file=tests/fuzz/schemathesis.toml',
        'run',
        `${api.address}/openapi.json`,
        `--max-examples=${cases}`,
        `--seed=${seed}`,
        '--no-color',
        ...headers.flatMap((header) => ['--header', header]),
      ],
      { minutes: 170 },
    );
    const { status } = await api.get('/readyz');
    return { code, output, status, errors: api.log.entries.filter(({ level }) => level === 'error') };
  } finally {
    api.server.close();
    api.server.closeAllConnections();
    api.dependencies.readiness.stop();
    await database.close();
  }
}

describe(`schemathesis with ${cases} cases a call and the seed ${seed}`, () => {
  const callers = { 'nobody signed in': [], 'staff signed in': [`Authorization: Bearer ${staffEmail}`] };
  const runs: Record<string, ReturnType<typeof fuzz>> = {};

  before('begin both at once, a core each', () => {
    for (const [who, headers] of Object.entries(callers)) {
      runs[who] = fuzz(headers);
      // Whoever awaits it hears of it.
      runs[who].catch(() => undefined);
    }
  });

  for (const who of Object.keys(callers)) {
    it(`finds no undeclared answer, no 5xx and nothing else with ${who}`, async () => {
      const { code, output, status, errors } = await runs[who]!;
      expect(errors).to.deep.equal([]);
      expect(code, output).to.equal(0);
      expect(output).to.match(/Tested: \d\d/);
      expect(status).to.equal(200);
    });
  }
});
