import { once } from 'node:events';
import { createServer, get, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { createApp } from '../app.ts';
import { useApi } from '../testing/api.ts';
import { createMetrics } from './metrics.ts';

describe('the metrics of a worker', () => {
  const api = useApi();
  const servers: Server[] = [];
  let address: string;

  /** Starts a worker, to which the next requests are sent. */
  const serve = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  beforeEach(() => {
    const metrics = createMetrics(api.dependencies);
    const app = createApp({ ...api.dependencies, cached: metrics.cached });
    return serve(metrics.telling(metrics.counting(app)));
  });
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  const ask = (path: string, options: RequestInit = {}) => fetch(address + path, options);
  const told = async () => (await ask('/metrics')).text();
  /** Returns the samples of one metric: labels and value. */
  const samples = async (name: string) =>
    Object.fromEntries(
      (await told()).split('\n').flatMap((line) => {
        const [, found, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
        return found === name ? [[labels, Number(value)]] : [];
      }),
    );

  it('count requests by the pattern of their route, and all unknown paths together', async () => {
    for (const name of ['Norway', 'Chile', 'Norway']) await ask(`/api/locations/country/${name}`);
    await ask('/api/locations', {
      method: 'POST',
      body: '{',
      headers: { 'content-type': 'application/json' },
    });
    for (const path of ['/a', '/b?c=d', '/%zz']) await ask(path);
    await ask('/healthz', { method: 'DELETE' });
    expect(await samples('map_app_requests_total')).to.deep.equal({
      'method="GET",route="/api/locations/country/:name",status="200"': 3,
      'method="POST",route="/api/locations",status="400"': 1,
      'method="GET",route="none",status="404"': 3,
      'method="DELETE",route="/healthz",status="405"': 1,
    });
  });

  it('measure the duration of requests', async () => {
    await ask('/healthz');
    const route = 'method="GET",route="/healthz"';
    expect((await samples('map_app_request_duration_seconds_count'))[route]).to.equal(1);
    const seconds = (await samples('map_app_request_duration_seconds_sum'))[route];
    expect(seconds).to.be.greaterThan(0).and.lessThan(1);
    const buckets = await samples('map_app_request_duration_seconds_bucket');
    expect(buckets[`le="+Inf",${route}`]).to.equal(1);
  });

  it('measure durations in seconds, and count each in every bucket that includes it', async () => {
    const metrics = createMetrics(api.dependencies);
    const listener = metrics.counting((_request, response) => setTimeout(() => response.end(), 150));
    await serve(metrics.telling(listener));
    await ask('/');
    const [seconds = 0] = Object.values(await samples('map_app_request_duration_seconds_sum'));
    expect(seconds).to.be.within(0.14, 5);
    const buckets = Object.entries(await samples('map_app_request_duration_seconds_bucket'));
    expect(buckets).to.have.length(13);
    for (const [labels, value] of buckets) {
      const [, bound = ''] = /le="([^"]+)"/.exec(labels) ?? [];
      expect(value, bound).to.equal(bound === '+Inf' || seconds <= Number(bound) ? 1 : 0);
    }
  });

  it('count requests in progress, and those whose client has left', async () => {
    const underway = async () => Object.values(await samples('map_app_requests_in_flight'))[0];
    expect(await underway()).to.equal(0);
    const client = connect(Number(new URL(address).port));
    client.write(
      'POST /api/geocoder HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    while ((await underway()) !== 1) await wait(10);
    client.destroy();
    while ((await underway()) !== 0) await wait(10);
    expect(await samples('map_app_requests_total')).to.deep.equal({
      'method="POST",route="/api/geocoder",status="aborted"': 1,
    });
  });

  it('count the sources of cached responses', async () => {
    const first = await ask('/api/questions');
    await ask('/api/questions');
    const { status } = await ask('/api/questions', {
      headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    });
    expect(status).to.equal(304);
    expect(await samples('map_app_cache_answers_total')).to.deep.equal({
      'use="made"': 1,
      'use="held"': 1,
      'use="unchanged"': 1,
    });
  });

  it('show the state of the worker and of its dependencies', async () => {
    const text = await told();
    for (const line of [
      'map_app_release_info{version="test"} 1',
      'map_app_ready 1',
      'map_app_storing 1',
      'map_app_database_disk_free_bytes Nan',
      'map_app_database_connections_waited_for 0',
    ]) {
      expect(text.split('\n')).to.include(line);
    }
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
      'map_app_database_connections_used',
    ]) {
      expect(text).to.match(new RegExp(`^${name} \\d`, 'm'));
    }
  });

  it('show a worker that is not ready and stores nothing', async () => {
    const { disk, readiness } = api.dependencies;
    const state = async (check: typeof readiness.check) => {
      const metrics = createMetrics({
        ...api.dependencies,
        readiness: { ...readiness, check },
        disk: { ...disk, trouble: async () => 'The disk is full.', free: () => 5 },
      });
      await serve(metrics.telling(() => undefined));
      return (await told()).split('\n');
    };
    const expected = ['map_app_ready 0', 'map_app_storing 0', 'map_app_database_disk_free_bytes 5'];
    expect(await state(async () => 'The database is read-only.')).to.include.members(expected);
    const never = new Promise<null>(() => undefined);
    expect(await state(() => never)).to.include.members(expected);
  });

  it('contain no data from visitors', async () => {
    const secret = 'geheim';
    await ask(`/${secret}?${secret}=1`);
    await ask(`/api/locations/city/${secret}`);
    await new Promise((resolve) =>
      get(address, { headers: { cookie: secret, 'x-request-id': secret } }, resolve),
    );
    expect(await told()).not.to.include(secret);
  });

  it('are not part of the API', async () => {
    expect((await api.get('/metrics')).status).to.equal(404);
    expect((await ask('/metrics/all')).status).to.equal(404);
  });
});
