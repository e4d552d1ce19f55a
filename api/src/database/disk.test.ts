import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { createApp, declareRoutes } from '../app.ts';
import { detailedReadiness } from '../health/routes.ts';
import { refusalOf } from '../http/errors.ts';
import { listen } from '../serve/listen.ts';
import { useApi } from '../testing/api.ts';
import { memoryLog, type MemoryLog } from '../testing/log.ts';
import { demandRoom, DiskFull, watchDisk, type DiskWatch } from './disk.ts';

const megabyte = 1_000_000;
const disk = { folder: '/var/lib/postgresql', reserve: 500 };

describe('watchDisk', () => {
  let log: MemoryLog;
  let watch: DiskWatch;
  let [free, asked, changes] = [0, 0, 0];
  beforeEach(() => {
    log = memoryLog();
    [free, asked, changes] = [501 * megabyte, 0, 0];
    const ask = async () => {
      asked++;
      if (free < 0) throw new Error('no such folder');
      return free;
    };
    watch = watchDisk({ disk, log, changed: () => changes++, ask });
  });
  afterEach(() => watch.stop());
  const said = () => log.entries.map(({ message }) => message);

  it('allows writes while the reserve is free, and checks at most once a second', async () => {
    for (let turn = 0; turn < 100; turn++) await watch.demand();
    expect(await watch.trouble()).to.equal(null);
    expect(watch.free()).to.equal(501 * megabyte);
    expect(asked).to.equal(1);
    expect(said()).to.deep.equal([]);
  });

  it('rejects writes below the reserve, logs it once, and recovers by itself', async () => {
    free = 499.9 * megabyte;
    for (let turn = 0; turn < 3; turn++) {
      const refusal = await watch.demand().catch((error: unknown) => error);
      expect(refusalOf(refusal)).to.include({ status: 503 });
      expect((refusal as Error).message).to.match(/^Nothing can be stored .* almost full: .*\.$/);
    }
    expect(await watch.trouble()).to.match(/^The disk of \/var\/lib\/postgresql has 499 MB left\. .* 500 MB/);
    expect(asked).to.equal(1);
    await wait(1_100);
    expect(asked).to.equal(2);
    // Just above the reserve is not enough yet.
    free = 510 * megabyte;
    await wait(1_050);
    expect(said()).to.deep.equal(['nothing is stored any more']);
    free = 551 * megabyte;
    await wait(1_050);
    expect(said()).to.deep.equal(['nothing is stored any more', 'storing again']);
    expect(changes).to.equal(2);
    await watch.demand();
  }).timeout(10_000);

  it('allows writes if it cannot read the free space, and logs it once', async () => {
    await watch.demand();
    free = -1;
    for (let turn = 0; turn < 2; turn++) {
      await wait(1_050);
      await watch.demand();
    }
    expect(Number.isNaN(watch.free())).to.equal(true);
    expect(said()).to.deep.equal(['the free space of the database disk cannot be read']);
  });

  it('watches nothing without a folder', async () => {
    const none = watchDisk({ disk: null, log });
    await none.demand();
    expect(await none.trouble()).to.equal(null);
  });
});

describe('demandRoom', () => {
  it('stops a command before it changes anything, and names the variable', async () => {
    await demandRoom(null);
    await demandRoom({ folder: tmpdir(), reserve: 1 });
    const full = await demandRoom({ folder: tmpdir(), reserve: 9_999_999 }).catch((error: unknown) => error);
    expect(full).to.be.instanceOf(DiskFull);
    expect((full as Error).message).to.match(/ MB left\. .*DISK_RESERVE.* Nothing was changed\.$/);
  });
});

describe('the API on a full disk', () => {
  let watch: DiskWatch;
  const api = useApi(({ log }) => {
    watch = watchDisk({ disk, log, ask: async () => 0 });
    return { disk: watch, donationUrl: 'https://www.example.org/donate' };
  });
  after(() => watch.stop());
  const storing = [
    'get /api/donation_redirect',
    'post /api/locations',
    'patch /api/locations/:id',
    'delete /api/locations/:id',
    'post /api/animal_locations',
    'post /api/visitor_response',
    'post /api/questions',
    'post /admin/count',
    'post /flask/auth',
  ];
  const goingOn = ['post /api/geocoder', 'post /admin/email', 'delete /api/session'];

  it('rejects writes and serves reads', async () => {
    for (const { method, path } of declareRoutes(api.dependencies)) {
      const call = `${method} ${path}`;
      const address = path.replace(/:\w+/g, '1');
      const { status, headers, body } = await api.staff.call(method.toUpperCase(), address);
      const isRefused = status === 503 && /Nothing can be stored/.test(body.message);
      if (storing.includes(call)) expect(isRefused, call).to.equal(true);
      if (goingOn.includes(call)) expect(isRefused, call).to.equal(false);
      expect(isRefused, call).to.equal(method === 'get' ? storing.includes(call) : !goingOn.includes(call));
      if (isRefused) expect(headers.get('retry-after')).to.equal('1');
    }
  });

  it('begins no session by the form of the sign-in page', async () => {
    const headers = { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' };
    const { status, body } = await api.call('POST', '/sign-in', { headers, body: 'credential=x' });
    expect(status).to.equal(503);
    expect(body).to.match(/Nothing can be stored/);
  });

  it('is ready and reports that nothing is stored, but not the folder or its free space', async () => {
    const { status, body } = await api.get('/readyz');
    expect(status).to.equal(200);
    expect(body.message).to.match(/^Nothing can be stored /);
    expect(JSON.stringify(body)).not.to.match(/\/var|MB/);
  });

  it("reports both on the worker's own socket, where all other requests work as usual", async () => {
    const { readiness } = api.dependencies;
    const app = createApp(api.dependencies);
    const server = await listen(detailedReadiness(app, readiness, watch), { host: '127.0.0.1', port: 0 });
    try {
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await (await fetch(`${address}/readyz`)).json()).to.have.property(
        'message',
        'The disk of /var/lib/postgresql has 0 MB left. Below 500 MB (DISK_RESERVE) nothing is stored, because PostgreSQL stops on a full disk: free some space there.',
      );
      expect(await (await fetch(`${address}/healthz`)).json()).to.deep.equal({ success: true });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('logs the full disk once', () => {
    const entries = api.log.entries.filter(({ message }) => message === 'nothing is stored any more');
    expect(entries).to.have.length(1);
  });
});
