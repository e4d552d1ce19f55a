import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Joi from 'joi';
import { createApp, declareRoutes, type Dependencies } from '../app.ts';
import { requiredSchema } from '../database/migrate.ts';
import { loadGeocoder } from '../geocoder/geocoder.ts';
import { watchDatabase } from '../health/readiness.ts';
import { failureSchema } from '../http/failure.ts';
import type { Route } from '../http/route.ts';
import { freshDatabase, type TestDatabase } from './database.ts';
import { memoryLog, type MemoryLog } from './log.ts';

type Call = { body?: unknown; headers?: Record<string, string> };

// eslint-disable-next-line typescript/no-explicit-any -- what a test expects of a body, it says itself
type Answer = { status: number; headers: Headers; body: any };

/** The API over real HTTP, on a database of the test file's own. */
export type TestApi = {
  /** A body is sent as JSON, a string as it is. The answer is checked against the schema that its route declares. */
  call(method: string, path: string, call?: Call): Promise<Answer>;
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
  database: TestDatabase;
  dependencies: Dependencies;
  log: MemoryLog;
  address: string;
};

let shared: Promise<TestDatabase> | undefined;

// After all files: this module is loaded outside of any `describe`.
after(async () => (await shared)?.close());

/** Runs the API for the tests of a `describe`. Files take turns with one database, and every test begins with nothing but the seed in it. */
export function useApi(
  override: (dependencies: Dependencies) => Partial<Dependencies> = () => ({}),
): TestApi {
  const api = {} as TestApi & { server: Server };
  before(async function () {
    this.timeout(30_000);
    shared ??= freshDatabase();
    Object.assign(api, await start(await shared, override));
  });
  beforeEach(() =>
    api.database.db.raw(`
      truncate pin, animal, picture, question, option, visitor_response, donation_visit, idempotency, count restart identity;
      insert into count (name, total) values ('num_rescues', 0)`),
  );
  after(() => {
    api.server.close();
    api.server.closeAllConnections();
    api.dependencies.readiness.stop();
  });
  return api;
}

/** Runs the API on a database that the caller made and closes. */
export async function start(
  database: TestDatabase,
  override: (dependencies: Dependencies) => Partial<Dependencies> = () => ({}),
): Promise<TestApi & { server: Server }> {
  const { db } = database;
  const log = memoryLog();
  const readiness = watchDatabase({ db, schema: requiredSchema, log });
  const usual = {
    db,
    geocoder: await loadGeocoder(),
    readiness,
    log,
    corsOrigins: new Set<string>(),
    version: 'test',
  };
  const dependencies = { ...usual, ...override(usual) };
  const server = createServer(createApp(dependencies)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const call = caller(address, declareRoutes(dependencies));
  return {
    server,
    address,
    database,
    dependencies,
    log,
    call,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, { body }),
  };
}

function caller(address: string, routes: readonly Route[]): TestApi['call'] {
  return async (method, path, { body, headers = {} } = {}) => {
    const response = await fetch(address + path, {
      method,
      // Both clients send it even with a GET.
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && {
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    if (text !== '') check(answer, schemaOf(routes, method, path, answer.status));
    return answer;
  };
}

function schemaOf(
  routes: readonly Route[],
  method: string,
  path: string,
  status: number,
): Joi.Schema | undefined {
  if (status !== 200) return failureSchema;
  const [pathname = ''] = path.split('?');
  return routes.find((route) => route.method.toUpperCase() === method && patternOf(route.path).test(pathname))
    ?.output;
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`);
}

function check(answer: Answer, schema: Joi.Schema | undefined): void {
  const error = schema?.prefs({ convert: false, presence: 'optional' }).validate(answer.body).error;
  if (error)
    throw new Error(`The answer is not as declared: ${error.message}\n${JSON.stringify(answer.body)}`);
}
