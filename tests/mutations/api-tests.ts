import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { environment } from '../run/command.ts';
import type { Order, Outcome } from './runner.ts';

const limit = 20 * 60_000;

/** Runs tests of the API in a copy of the sources, in one process for many runs. */
export class ApiTests {
  readonly #copy: string;
  readonly #database: string | null;
  #process: ChildProcess | undefined;

  /** @param database the URL of a real PostgreSQL; null for the embedded one */
  constructor(copy: string, database: string | null) {
    this.#copy = copy;
    this.#database = database;
  }

  /**
   * Runs test files until a test fails.
   * @param mutated the mutated file, if there is one
   * @returns the title and the message of the failure; undefined if all pass
   */
  async failure(specs: string[], mutated = ''): Promise<string | undefined> {
    this.#process ??= this.#start();
    const child = this.#process;
    // A mutation of these files may change how the database is migrated.
    const isOfDatabase = mutated.startsWith('api/src/database/');
    const kept = { TEST_DATABASE_FILE: join(this.#copy, 'migrated.tar') };
    child.send({ specs, environment: isOfDatabase ? {} : kept } satisfies Order);
    const ended = new AbortController();
    const { signal } = ended;
    const [outcome, isUsable] = await Promise.race([
      once(child, 'message', { signal }).then(
        ([message]) => [(message as Outcome).failure ?? undefined, true] as const,
      ),
      once(child, 'exit', { signal }).then(
        ([code]) => [`The tests ended with exit status ${code}.`, false] as const,
      ),
      wait(limit, [`The tests did not end within ${limit / 60_000} minutes.`, false] as const, {
        ref: false,
        signal,
      }),
    ]).finally(() => ended.abort());
    if (!isUsable) this.stop();
    return outcome;
  }

  /** Ends the process. The next run starts another. */
  stop(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }

  #start(): ChildProcess {
    return fork(join(this.#copy, 'tests/mutations/runner.ts'), {
      cwd: this.#copy,
      env: environment(this.#database === null ? {} : { TEST_DATABASE_URL: this.#database }),
      // Compiles WebAssembly once instead of twice.
      execArgv: ['--liftoff-only'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
  }
}
