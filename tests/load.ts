import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:https';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** What constant load saw. Times are milliseconds. A request fails by a broken connection or a status of 300 or more. */
export type LoadReport = {
  reads: number;
  failedReads: number;
  /** Inserts that were answered with success. */
  acknowledgedWrites: number;
  failedWrites: number;
  /**
   * Requests sent once more, on a new connection, because the idle one that they went out on was closed without a byte of an answer: nginx closes its
   * idle connections when it reloads, and may do so while a request is on its way. Every browser repeats those that are safe to repeat, as all of these are:
   * reads, and inserts with an Idempotency-Key. On a new connection nothing is repeated.
   */
  repeated: number;
  p99: number;
  slowest: number;
  /** How often each failure was seen, by the request and what became of it. */
  failures: Record<string, number>;
};

/** Where to send load, and how much. */
export type LoadOptions = {
  /** The machine's address; it is asked for `domain` whatever the DNS says. */
  address: string;
  domain: string;
  /** Constant connections, each with one request under way at any time. */
  readers: number;
  writers: number;
  /** Readers with a connection of its own for each request. */
  strangers?: number;
  /** Readers whose requests carry `X-Slow: 3000`: a release of the tests takes so long for them. They are in no time below. */
  slow?: number;
  /** Milliseconds that each connection rests between an answer and its next request. Without it, the machine is kept as busy as it can be. */
  pause?: number;
  /** Load ends after this many seconds even if `until` never ends it. */
  seconds: number;
  until?: AbortSignal;
};

const closedIdle = 'an idle connection was closed';

type Kind = 'reader' | 'writer' | 'stranger' | 'slow';

const readPaths = ['/api/locations/counts', '/admin/count', '/healthz'];
// Land all around: inland places of several countries.
const points = [[39.7, -105], [48.85, 2.35], [-23.5, -46.6], [52.5, 13.4], [34, -117.9]] as const; // prettier-ignore

/** Sends constant load through nginx until told to stop, then waits for the requests under way. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const report: LoadReport = {
    reads: 0, failedReads: 0, acknowledgedWrites: 0, failedWrites: 0, repeated: 0, p99: 0, slowest: 0, failures: {},
  }; // prettier-ignore
  const times: number[] = [];
  const stop = AbortSignal.any([
    AbortSignal.timeout(options.seconds * 1000),
    ...(options.until ? [options.until] : []),
  ]);

  const connection = async (kind: Kind, first: number) => {
    const agent = new Agent({ keepAlive: kind !== 'stranger', maxSockets: 1 });
    for (let turn = first; !stop.aborted; turn += 1) {
      const started = performance.now();
      const path = readPaths[turn % readPaths.length]!;
      const key = randomUUID();
      const send = () =>
        kind === 'writer'
          ? insert(options, agent, points[turn % points.length]!, key)
          : ask(options, agent, { path, ...(kind === 'slow' && { headers: { 'X-Slow': '3000' } }) });
      let fault = await send();
      if (fault === closedIdle) {
        report.repeated += 1;
        fault = await send();
      }
      if (kind !== 'slow') times.push(performance.now() - started);
      count(report, kind === 'writer', fault);
      if (options.pause) await wait(options.pause);
    }
    agent.destroy();
  };
  const several = (number: number, kind: Kind) =>
    Array.from({ length: number }, (_, index) => connection(kind, index));

  await Promise.all([
    ...several(options.readers, 'reader'),
    ...several(options.writers, 'writer'),
    ...several(options.strangers ?? 0, 'stranger'),
    ...several(options.slow ?? 0, 'slow'),
  ]);
  times.sort((a, b) => a - b);
  report.p99 = Math.round(times[Math.floor(times.length * 0.99)] ?? 0);
  report.slowest = Math.round(times.at(-1) ?? 0);
  return report;
}

function count(report: LoadReport, write: boolean, fault: string | undefined): void {
  if (fault) {
    const seen = `${write ? 'POST' : 'GET'} ${fault}`;
    report.failures[seen] = (report.failures[seen] ?? 0) + 1;
  }
  if (write) report[fault ? 'failedWrites' : 'acknowledgedWrites'] += 1;
  else {
    report.reads += 1;
    if (fault) report.failedReads += 1;
  }
}

const insert = (options: LoadOptions, agent: Agent, [lat, long]: readonly [number, number], key: string) =>
  ask(options, agent, {
    path: '/api/locations',
    body: JSON.stringify({ lat, long }),
    headers: { 'Idempotency-Key': key },
  });

/** One request. @returns what went wrong, or undefined */
function ask(
  { address, domain }: LoadOptions,
  agent: Agent,
  { path, body, headers = {} }: { path: string; body?: string; headers?: Record<string, string> },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request(
      {
        agent,
        path,
        host: domain,
        servername: domain,
        lookup: (_host, lookup, done) =>
          lookup.all ? done(null, [{ address, family: isIP(address) }]) : done(null, address, isIP(address)),
        // A placeholder certificate serves as well as a real one here.
        rejectUnauthorized: false,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }, // prettier-ignore
        timeout: 30_000,
      },
      (response) => {
        response.on('error', (error: NodeJS.ErrnoException) =>
          resolve(`${path}: ${error.code ?? error.message}`),
        );
        response.on('end', () =>
          resolve((response.statusCode ?? 0) < 300 ? undefined : `${path}: status ${response.statusCode}`),
        );
        response.resume();
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer in 30 s')));
    sent.on('error', (error: NodeJS.ErrnoException) =>
      resolve(
        sent.reusedSocket && error.code === 'ECONNRESET'
          ? closedIdle
          : `${path}: ${error.code ?? error.message}`,
      ),
    );
    sent.end(body);
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      readers: { type: 'string', default: '16' },
      writers: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '10' },
    },
  });
  const [address, domain] = positionals;
  if (!address || !domain) {
    process.stderr.write(
      'Usage: node tests/load.ts ADDRESS DOMAIN [--readers 16] [--writers 4] [--seconds 10]\n',
    );
    process.exit(2);
  }
  const numbers = { readers: +values.readers, writers: +values.writers, seconds: +values.seconds };
  process.stdout.write(`${JSON.stringify(await runLoad({ address, domain, ...numbers }), undefined, 2)}\n`);
}
