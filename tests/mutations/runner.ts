import { registerHooks } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import Mocha from 'mocha';
import './patient.ts';

/** The test files to run, and variables of the environment. */
export type Order = { specs: string[]; environment: Record<string, string> };

/** The title and the message of the first failure; null if all tests passed. */
export type Outcome = { failure: string | null };

// A process for each mutation would spend most of its time on starting Node, PostgreSQL and the packages. This one runs many: each order loads
// the sources of the API again, under URLs with another number, because they have changed on the disk.
let generation = 0;
const sources = pathToFileURL(join(process.cwd(), 'api/src/')).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (!resolved.url.startsWith(sources)) return resolved;
    return { ...resolved, url: `${resolved.url.split('?')[0]}?${generation}` };
  },
});

process.on('message', (order: Order) => {
  void carryOut(order).then((failure) => process.send!({ failure } satisfies Outcome));
});

async function carryOut({ specs, environment }: Order): Promise<string | null> {
  generation++;
  delete process.env['TEST_DATABASE_FILE'];
  Object.assign(process.env, environment);
  const mocha = new Mocha({ bail: true, reporter: class extends Mocha.reporters.Base {} });
  try {
    for (const spec of specs.map((path) => resolve(path))) {
      mocha.suite.emit('pre-require', globalThis, spec, mocha);
      mocha.suite.emit('require', await import(pathToFileURL(spec).href), spec, mocha);
      mocha.suite.emit('post-require', globalThis, spec, mocha);
    }
  } catch (error) {
    return `The tests cannot be loaded: ${(error as Error).message}`;
  }
  let failure: string | null = null;
  const { promise, resolve: end } = Promise.withResolvers<void>();
  mocha
    .run(() => end())
    .on('fail', (test, error: Error) => {
      failure ??= `${test.fullTitle()}: ${error.message.split('\n')[0]}`;
    });
  await promise;
  return failure;
}
