import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compileCache } from '../testing/command.ts';
import { freshDatabase, serverUrl, type TestDatabase } from '../testing/database.ts';
import { sequence } from '../testing/sequence.ts';

const cli = fileURLToPath(new URL('../cli.ts', import.meta.url));

type Answer = { status: number; etag: string; body: string };

const agent = new Agent({ keepAlive: true });

function call(address: string, headers: Record<string, string> = {}, body?: object): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const method = body ? 'POST' : 'GET';
  const all = { ...headers, ...(body && { 'content-type': 'application/json' }) };
  request(address, { agent, method, headers: all }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    response.on('error', reject);
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, etag: response.headers.etag ?? '', body: text });
    });
  })
    .on('error', reject)
    .end(body && JSON.stringify(body));
  return promise;
}

/** A sequence of writes, and the progress that each response shows. Each request of a path with `*` has another path. */
type Subject = {
  write: (address: string) => Promise<unknown>;
  reads: Record<string, (body: string) => number>;
};

const pins: Subject = {
  async write(address) {
    const { status, body } = await call(`${address}/api/locations`, {}, { lat: 48.8566, long: 2.3522 });
    if (status !== 200) throw new Error(body);
  },
  reads: {
    '/api/locations/counts': (body) => JSON.parse(body).total_visitors,
    '/api/locations/counts?country=France&state=x': (body) => JSON.parse(body).this_country_count,
    '/api/locations/counts?country=France&state=*': (body) => JSON.parse(body).this_country_count,
    '/collections/pins/items?limit=1': (body) => JSON.parse(body).numberMatched,
    '/api/locations': (body) => JSON.parse(body).locations.length,
    '/api/locations/country/France': (body) => JSON.parse(body).locations.length,
  },
};

type Result = { reads: number; unchanged: number; writes: number; stale: string[] };

/** The longest that `load` runs, in seconds. */
const mostSeconds = 45;

/**
 * Writes and reads as fast as possible for at least `seconds` and until `isEnough`, with each request to any of the
 * addresses. Every reader first records how many writes were acknowledged by then: a response that shows fewer is stale,
 * whether it is a new one or revalidated by a 304.
 */
async function load(
  subjects: Subject[],
  from: { write: string[]; read: string[] },
  seconds: number,
  isEnough: (result: Result) => boolean,
): Promise<Result> {
  const result: Result = { reads: 0, unchanged: 0, writes: 0, stale: [] };
  const next = sequence(7);
  const any = (addresses: string[]) => addresses[Math.floor(next() * addresses.length)]!;
  const start = performance.now();
  const goesOn = () => {
    const elapsed = (performance.now() - start) / 1_000;
    return elapsed < seconds || (!isEnough(result) && elapsed < mostSeconds);
  };

  const both = ({ write, reads }: Subject): Promise<void>[] => {
    let acknowledged = 0;
    const writer = async () => {
      while (goesOn()) {
        await write(any(from.write));
        acknowledged++;
        result.writes++;
        // Pauses now and then, so that cached responses can be revalidated.
        if (next() < 0.3) await wait(next() * 20);
      }
    };
    const reader = async ([path, progressIn]: [string, (body: string) => number]) => {
      let known = { etag: '', progress: 0 };
      while (goesOn()) {
        const least = acknowledged;
        const { status, etag, body } = path.includes('*')
          ? await call(any(from.read) + path.replace('*', String(next())))
          : await call(any(from.read) + path, { 'if-none-match': known.etag });
        if (status !== 304) known = { etag, progress: progressIn(body) };
        result.reads++;
        if (status === 304) result.unchanged++;
        if (known.progress < least)
          result.stale.push(`${path}: ${status} with ${known.progress} of ${least}`);
      }
    };
    return [
      writer(),
      writer(),
      ...Object.entries(reads).flatMap((one) => [reader(one), reader(one), reader(one)]),
    ];
  };
  await Promise.all(subjects.flatMap(both));
  return result;
}

if (serverUrl) {
  describe('two workers on one database, under load', function () {
    this.timeout(60_000);
    let database: TestDatabase;
    let addresses: string[];
    const workers: ChildProcess[] = [];
    const startWorker = async (): Promise<string> => {
      const env = {
        PATH: process.env['PATH'],
        ...compileCache,
        DATABASE_URL: database.url!,
        SESSION_KEY: '00'.repeat(32),
        PORT: '0',
      };
      const worker = spawn(process.execPath, [cli, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      workers.push(worker);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      worker.stdout.on('data', (text) => {
        const [, address] = /listens on (http:\S+)/.exec(String(text)) ?? [];
        if (address) resolve(address);
      });
      worker.on('exit', () => reject(new Error('The worker ended before it listened.')));
      return promise;
    };
    before(async () => {
      database = await freshDatabase();
      addresses = await Promise.all([startWorker(), startWorker()]);
    });
    beforeEach(() => database.db.raw('truncate pin cascade; update count set total = 0'));
    after(async () => {
      const ended = workers.map((worker) => once(worker, 'exit'));
      for (const worker of workers) worker.kill('SIGTERM');
      agent.destroy();
      await Promise.all(ended);
      await database.close();
    });

    it('never return data older than the last write acknowledged before the request', async () => {
      const totals: Subject = {
        write: async () => database.db('count').increment('total'),
        reads: { '/admin/count': (body) => JSON.parse(body).counts[0].total },
      };
      const { stale, ...rest } = await load(
        [pins, totals],
        { write: addresses, read: addresses },
        4,
        ({ writes, reads, unchanged }) => writes > 100 && reads > 1_000 && unchanged > 10,
      );
      console.log(`      ${JSON.stringify(rest)}`);
      expect(stale).to.deep.equal([]);
      expect(rest.writes).to.be.greaterThan(100);
      expect(rest.reads).to.be.greaterThan(1_000);
      expect(rest.unchanged).to.be.greaterThan(10);
    });

    it('would fail this test if they were 10 ms behind', async () => {
      const late = await lateBehind(addresses[0]!);
      const { stale, ...rest } = await load(
        [pins],
        { write: addresses, read: [late.address, ...addresses] },
        0,
        ({ stale }) => stale.length > 0,
      );
      late.close();
      console.log(`      ${JSON.stringify({ ...rest, stale: stale.length })}`);
      expect(stale.length).to.be.greaterThan(0);
    });
  });
}

/** A server that repeats a worker's responses for 10 ms, like a cache with a time to live. */
async function lateBehind(worker: string): Promise<{ address: string; close: () => void }> {
  const answers = new Map<string, { answer: Promise<Answer>; until: number }>();
  const server = createServer((asked, response) => {
    const path = asked.url ?? '';
    if ((answers.get(path)?.until ?? 0) < performance.now()) {
      const held = { answer: call(worker + path), until: Infinity };
      answers.set(path, held);
      // From the response on. A busy worker may need longer than 10 ms for it.
      held.answer.finally(() => (held.until = performance.now() + 10)).catch(() => undefined);
    }
    answers.get(path)!.answer.then(
      ({ status, etag, body }) => response.writeHead(status, { etag }).end(body),
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
