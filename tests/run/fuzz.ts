import { run } from './command.ts';
import { runMocha } from './mocha.ts';
import { withPostgresql } from './postgresql.ts';
import { failure, leftOut, type Tally } from './stage.ts';

/** Fuzzes the API on a real PostgreSQL. */
export async function runFuzz(): Promise<Tally> {
  const setup = await run(['scripts/setup', 'fuzz'], { show: true });
  if (setup.code !== 0) return failure('scripts/setup failed');
  const tally = await withPostgresql((url) =>
    runMocha({
      specs: ['tests/fuzz/*.test.ts'],
      environment: { TEST_DATABASE_URL: url },
      verbose: true,
      minutes: 180,
      seconds: 180 * 60,
    }),
  );
  return tally ?? leftOut('Fuzzing: PostgreSQL is not installed, and only root can install it');
}
