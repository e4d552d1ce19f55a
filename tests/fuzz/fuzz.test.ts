import { join } from 'node:path';
import { expect } from 'chai';
import { importFiles } from '../../api/src/import/import.ts';
import { staffEmail, start } from '../../api/src/testing/api.ts';
import { freshDatabase, type TestDatabase } from '../../api/src/testing/database.ts';
import { root, run } from '../run/command.ts';

/** The number of random requests per operation. The same FUZZ_SEED produces the same requests. */
const cases = process.env['FUZZ_CASES'] ?? '50';
const seed = process.env['FUZZ_SEED'] ?? '1';

const example = join(root, 'api/example');

/** Fills the database with rows to find, change and delete. */
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

/** Fuzzes a new API on a new database. @returns the exit status and output of schemathesis, the final status of /readyz, and logged errors */
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

describe(`Schemathesis with ${cases} cases per operation and seed ${seed}`, () => {
  const callers = { 'without a session': [], 'as staff': [`Authorization: Bearer ${staffEmail}`] };
  const runs: Record<string, ReturnType<typeof fuzz>> = {};

  before('start both runs, one per core', () => {
    for (const [who, headers] of Object.entries(callers)) {
      runs[who] = fuzz(headers);
      // Prevents an unhandled rejection before the test awaits the run.
      runs[who].catch(() => undefined);
    }
  });

  for (const who of Object.keys(callers)) {
    it(`finds no undeclared response, no 5xx and no other failure ${who}`, async () => {
      const { code, output, status, errors } = await runs[who]!;
      expect(errors).to.deep.equal([]);
      expect(code, output).to.equal(0);
      expect(output).to.match(/Tested: \d\d/);
      expect(status).to.equal(200);
    });
  }
});
