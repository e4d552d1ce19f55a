import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Joi from 'joi';
import { createGazetteer } from '../addresses/gazetteer.ts';
import { addressFile } from '../addresses/load.ts';
import { createApp, declareRoutes, type Dependencies } from '../app.ts';
import { watchDisk } from '../database/disk.ts';
import { requiredSchema } from '../database/migrate.ts';
import { createGeocoder, type Geocoder, loadPlaces } from '../geocoder/geocoder.ts';
import { watchDatabase } from '../health/readiness.ts';
import { failureSchema } from '../http/failure.ts';
import { outcomesOf, refusalsOf } from '../http/responses.ts';
import type { Route } from '../http/route.ts';
import { createPictures } from '../pictures/pictures.ts';
import { BadToken } from '../staff/token.ts';
import { emptyTables, freshDatabase, type TestDatabase } from './database.ts';
import { memoryLog, type MemoryLog } from './log.ts';

type Call = { body?: unknown; headers?: Record<string, string> };

// eslint-disable-next-line typescript/no-explicit-any -- tests make their own assertions about bodies
type Answer = { status: number; headers: Headers; body: any };

export type Calls = {
  /**
   * Sends a body as JSON, or unchanged if it is a string, bytes or a form. Parses a JSON response; otherwise returns
   * text or bytes. Checks the response against the declaration of its route.
   */
  call(method: string, path: string, call?: Call): Promise<Answer>;
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
};

/** The API over real HTTP, on a separate database per test file. */
export type TestApi = Calls & {
  /** The same calls, authenticated as staff. */
  staff: Calls;
  database: TestDatabase;
  dependencies: Dependencies;
  log: MemoryLog;
  address: string;
};

let shared: Promise<TestDatabase> | undefined;
let geocoder: Promise<Geocoder> | undefined;

// A root-level hook: this module is loaded outside of any `describe`.
after(async () => (await shared)?.close());

/**
 * Runs the API for the tests of a `describe`. Test files share one database, which is reset to the seed before every
 * test.
 */
export function useApi(
  override: (dependencies: Dependencies) => Partial<Dependencies> = () => ({}),
): TestApi {
  const api = {} as TestApi & { server: Server };
  before(async function () {
    this.timeout(120_000);
    shared ??= freshDatabase();
    Object.assign(api, await start(await shared, override));
  });
  beforeEach(() => emptyTables(api.database.db));
  after(() => {
    api.server.close();
    api.server.closeAllConnections();
    api.dependencies.readiness.stop();
  });
  return api;
}

/** Runs the API on a database that the caller creates and closes. */
export async function start(
  database: TestDatabase,
  override: (dependencies: Dependencies) => Partial<Dependencies> = () => ({}),
): Promise<TestApi & { server: Server }> {
  const { db } = database;
  geocoder ??= loadPlaces().then(createGeocoder);
  await addressFile(); // build the file before a test waits for it
  const log = memoryLog();
  const readiness = watchDatabase({ db, schema: requiredSchema, log });
  const usual = {
    db,
    disk: watchDisk({ disk: null, log }),
    geocoder: await geocoder,
    findAddress: createGazetteer(addressFile),
    lookUpCity: null,
    pictures: createPictures(),
    readiness,
    log,
    cached: () => undefined,
    corsOrigins: new Set<string>(),
    verifyToken: verifyTestToken,
    googleClientId: null,
    staffEmails: new Set([staffEmail]),
    sessionKey: Buffer.alloc(32, 7),
    donationUrl: null,
    mailer: null,
    version: 'test',
  };
  const dependencies = { ...usual, ...override(usual) };
  const server = createServer(createApp(dependencies)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const routes = declareRoutes(dependencies);
  return {
    server,
    address,
    database,
    dependencies,
    log,
    ...calls(address, routes),
    staff: calls(address, routes, { authorization: `Bearer ${staffEmail}` }),
  };
}

/** The only address on the staff list at the start of a test. */
export const staffEmail = 'staff@example.org';

/** Replaces Google: a token is the address that it proves. */
async function verifyTestToken(token: string): Promise<string> {
  if (!token.includes('@')) throw new BadToken('The ID token is not an address.');
  return token;
}

function calls(address: string, routes: readonly Route[], always: Record<string, string> = {}): Calls {
  const send = caller(address, routes);
  const call: Calls['call'] = (method, path, { body, headers } = {}) =>
    send(method, path, { body, headers: { ...always, ...headers } });
  return { call, get: (path) => call('GET', path), post: (path, body) => call('POST', path, { body }) };
}

function caller(address: string, routes: readonly Route[]): Calls['call'] {
  return async (method, path, { body, headers = {} } = {}) => {
    const response = await fetch(address + path, {
      method,
      redirect: 'manual',
      // Both clients send this header even with GET.
      headers: { ...(!(body instanceof FormData) && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && {
        body:
          typeof body === 'string' || Buffer.isBuffer(body) || body instanceof FormData
            ? body
            : JSON.stringify(body),
      }),
    });
    if (!response.headers.has('x-request-id')) throw new Error(`${method} ${path} returned no X-Request-Id.`);
    const answer = { status: response.status, headers: response.headers, body: await bodyOf(response) };
    // HTML pages are not among the declared responses.
    if (
      headers['accept']?.includes('text/html') &&
      answer.headers.get('content-type')?.startsWith('text/html')
    ) {
      return answer;
    }
    const [pathname = ''] = path.split('?');
    const route = routes.find(
      (route) => route.method.toUpperCase() === method && patternOf(route.path).test(pathname),
    );
    if (route) check(answer, route);
    else if (response.status >= 400) conform(answer.body, failureSchema);
    return answer;
  };
}

async function bodyOf(response: Response): Promise<unknown> {
  const bytes = Buffer.from(await response.arrayBuffer());
  if (bytes.length === 0) return undefined;
  const mediaType = response.headers.get('content-type') ?? '';
  if (mediaType.includes('json')) return JSON.parse(bytes.toString());
  return mediaType.startsWith('text/') ? bytes.toString() : bytes;
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`);
}

function check({ status, headers, body }: Answer, route: Route): void {
  const mediaType = headers.get('content-type')?.split(';')[0];
  const outcome = outcomesOf(route).find(
    (one) => one.status === status && (body === undefined || one.mediaType === mediaType),
  );
  if (!outcome && status !== 500 && (status < 400 || !(status in refusalsOf(route)))) {
    throw new Error(`${route.method} ${route.path} declares no ${status} with ${mediaType}.`);
  }
  if (body !== undefined) conform(body, outcome ? outcome.schema : failureSchema);
}

function conform(body: unknown, schema: Joi.Schema | undefined): void {
  const error = schema?.prefs({ convert: false, presence: 'optional' }).validate(body).error;
  if (error)
    throw new Error(`The response does not match its declaration: ${error.message}\n${JSON.stringify(body)}`);
}
