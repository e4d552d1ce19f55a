import type { RequestListener, ServerResponse } from 'node:http';
import { Counter, Histogram, type Registry } from '@prometheus-io/client';
import type { Request } from 'express';
import { gauge } from './gauge.ts';

/** In seconds. Most answers take about a millisecond, a stream of all pins some seconds. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** For requests that no route took: all addresses that do not exist are one, as anybody can make up any number of them. */
const noRoute = 'none';

const begun = Symbol('begun');
type Timed = ServerResponse & { [begun]?: number };

/** Makes listeners of others that do the same, their requests counted by the patterns of their routes. */
export function countRequests(registry: Registry): (listener: RequestListener) => RequestListener {
  const registers = [registry];
  const answers = new Counter({
    name: 'map_app_requests_total',
    help: 'Requests by what became of them; "aborted" if the client left before the end of the answer.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'map_app_request_duration_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['method', 'route'],
    buckets,
    registers,
  });
  let underway = 0;
  gauge(registry, 'map_app_requests_in_flight', 'Requests whose answer has not ended.', () => underway);

  // One function for all requests: one for each would cost more than all the counting.
  function ended(this: Timed): void {
    underway--;
    const { method = '' } = this.req;
    // Express leaves it there.
    const route: string = (this.req as Request).route?.path ?? noRoute;
    answers.inc({ method, route, status: this.writableFinished ? this.statusCode : 'aborted' });
    durations.observe({ method, route }, (performance.now() - (this[begun] ?? 0)) / 1_000);
  }

  return (listener) => (request, response: Timed) => {
    underway++;
    response[begun] = performance.now();
    response.on('close', ended);
    listener(request, response);
  };
}
