import type { RequestListener, ServerResponse } from 'node:http';
import { Counter, type Metric, type Registry } from '@prometheus-io/client';
import type { Request } from 'express';
import { gauge } from './gauge.ts';

/** Upper bounds in seconds. Most responses take about a millisecond, a stream of all pins some seconds. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, Infinity];

/**
 * The label of requests that match no route. All unknown paths share it, because clients can invent any number of them.
 */
const noRoute = 'none';

const begun = Symbol('begun');
type Timed = ServerResponse & { [begun]?: number };

/** The counters of one method and route. */
type Tally = {
  labels: { method: string; route: string };
  statuses: Map<number | 'aborted', number>;
  /** The number of requests within each bound and above the previous one. */
  buckets: number[];
  seconds: number;
};

/** Returns a function that wraps a listener and counts its requests by the patterns of their routes. */
export function countRequests(registry: Registry): (listener: RequestListener) => RequestListener {
  // Plain numbers, which the library reads at each scrape. Its own lookups at each request, or a closure for each, cost
  // a tenth of the throughput.
  const tallies = new Map<string, Tally>();
  let underway = 0;
  gauge(registry, 'map_app_requests_in_flight', 'Requests whose response has not ended.', () => underway);
  registry.registerMetric(answers(tallies));
  registry.registerMetric(durations(tallies));

  const begin = (key: string, method: string, route: string): Tally => {
    const tally = {
      labels: { method, route },
      statuses: new Map(),
      buckets: bounds.map(() => 0),
      seconds: 0,
    };
    tallies.set(key, tally);
    return tally;
  };

  function ended(this: Timed): void {
    underway--;
    const seconds = (performance.now() - (this[begun] ?? 0)) / 1_000;
    const { method = '' } = this.req;
    // Express sets it.
    const route: string = (this.req as Request).route?.path ?? noRoute;
    const key = `${method} ${route}`;
    const tally = tallies.get(key) ?? begin(key, method, route);
    const status = this.writableFinished ? this.statusCode : 'aborted';
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
    tally.buckets[bounds.findIndex((bound) => seconds <= bound)]! += 1;
    tally.seconds += seconds;
  }

  return (listener) => (request, response: Timed) => {
    underway++;
    response[begun] = performance.now();
    response.on('close', ended);
    listener(request, response);
  };
}

function answers(tallies: ReadonlyMap<string, Tally>): Metric {
  return new Counter({
    name: 'map_app_requests_total',
    help: 'Requests by outcome; "aborted" if the client closed the connection before the end of the response.',
    labelNames: ['method', 'route', 'status'],
    registers: [],
    collect() {
      this.reset();
      for (const { labels, statuses } of tallies.values()) {
        for (const [status, count] of statuses) this.inc({ ...labels, status }, count);
      }
    },
  });
}

/** Returns what the library's histogram would. That histogram does not accept precomputed sums. */
function durations(tallies: ReadonlyMap<string, Tally>): Metric {
  const name = 'map_app_request_duration_seconds';
  const help = 'From the headers of a request to the end of its response.';
  const get = async () => ({
    name,
    help,
    type: 'histogram',
    values: [...tallies.values()].flatMap((tally) => samples(name, tally)),
  });
  return { name, get } as unknown as Metric;
}

/** In the format of Prometheus, a bucket includes the counts of the smaller buckets. */
function samples(name: string, { labels, buckets, seconds }: Tally): object[] {
  let count = 0;
  const counts = bounds.map((bound, index) => {
    count += buckets[index]!;
    const le = bound === Infinity ? '+Inf' : String(bound);
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
  });
  return [
    ...counts,
    { metricName: `${name}_sum`, labels, value: seconds },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
