import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:https';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** The result of constant load. Times are in milliseconds. A request fails if its connection breaks or its status is 300 or more. */
export type LoadReport = {
  reads: number;
  failedReads: number;
  /** Inserts with a successful response. */
  acknowledgedWrites: number;
  failedWrites: number;
  /**
   * Requests retried on a new connection, because nginx closed the idle connection without a response: on reload nginx closes idle connections,
   * possibly while a request is in transit. Every browser retries safe requests in this case. All requests here are safe: reads, and inserts with
   * an Idempotency-Key. A request on a new connection is never retried.
   */
  repeated: number;
  p99: number;
  slowest: number;
  /** Number of failures by method, path and error. */
  failures: Record<string, number>;
};

/** The target and the amount of load. */
export type LoadOptions = {
  /** The machine's address. Requests for `domain` go to this address, without DNS. */
  address: string;
  domain: string;
  /** Persistent connections, each with one request at a time. */
  readers: number;
  writers: number;
  /** Readers that open a new connection for each request. */
  strangers?: number;
  /** Readers whose requests carry `X-Slow: 3000`, which test releases delay by 3 s. Not included in the times. */
  slow?: number;
  /** Pause of each connection between a response and the next request, in milliseconds. Default: none, which saturates the machine. */
  pause?: number;
  /** Maximum duration in seconds. */
  seconds: number;
  until?: AbortSignal;
};

const closedIdle = 'an idle connection was closed';

type Kind = 'reader' | 'writer' | 'stranger' | 'slow';

const readPaths = ['/api/locations/counts', '/admin/count', '/healthz'];
// Inland points in several countries.
const points = [
  [39.7, -105],
  [48.85, 2.35],
  [-23.5, -46.6],
  [52.5, 13.4],
  [34, -117.9],
] as const;

/** Sends constant load through nginx until `until` or the maximum duration, then waits for the requests in progress. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const report: LoadReport = {
    reads: 0,
    failedReads: 0,
    acknowledgedWrites: 0,
    failedWrites: 0,
    repeated: 0,
    p99: 0,
    slowest: 0,
    failures: {},
  };
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

/** Sends one request. @returns the error, or undefined */
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
        // The certificate may be the self-signed placeholder.
        rejectUnauthorized: false,
        method: body === undefined ? 'GET' : 'POST',
        headers:
          body === undefined
            ? headers
            : { ...headers, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
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
    sent.on('timeout', () => sent.destroy(new Error('no response in 30 s')));
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
