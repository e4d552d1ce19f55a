import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { requiredSchema } from '../database/migrate.ts';
import { openPostgresql } from '../database/postgresql.ts';
import { start, useApi } from '../testing/api.ts';
import { freshDatabase, serverUrl, type TestDatabase } from '../testing/database.ts';
import { memoryLog } from '../testing/log.ts';
import { proxyTo, type Proxy } from '../testing/proxy.ts';
import { watchDatabase } from './readiness.ts';

const point = { lat: 34.05, long: -118.24 };

describe('a worker with a healthy database', () => {
  const api = useApi();

  it('is alive and ready', async () => {
    expect((await api.get('/healthz')).body).to.deep.equal({ success: true });
    expect((await api.get('/readyz')).body).to.deep.equal({ success: true });
    expect(api.log.entries.filter(({ message }) => message === 'ready')).to.have.length(1);
  });

  it('is not ready if the schema is missing, and reports it', async () => {
    const log = memoryLog();
    const readiness = watchDatabase({ db: api.database.db, schema: '9999-from-the-future', log });
    expect(await readiness.check()).to.match(/schema.*map-app migrate/);
    readiness.stop();
  });

  it('is not ready while another condition prevents writes', async () => {
    let cause: string | null = 'The disk is full.';
    const log = memoryLog();
    const alsoRequired = async () => cause;
    const readiness = watchDatabase({ db: api.database.db, schema: requiredSchema, log, alsoRequired });
    expect(await readiness.check()).to.equal('The disk is full.');
    cause = null;
    expect(await readiness.check()).to.equal(null);
    expect(log.entries.map(({ message }) => message)).to.deep.equal(['not ready', 'ready again']);
    readiness.stop();
  });

  it('logs why the database rejected a request if the check finds nothing, once a minute', async () => {
    const log = memoryLog();
    const readiness = watchDatabase({ db: api.database.db, schema: requiredSchema, log });
    await readiness.check();
    for (let turn = 0; turn < 3; turn++) {
      readiness.suspect(Object.assign(new Error(), { code: '53100' }));
      readiness.suspect(new Error('the request'));
      await readiness.check();
    }
    await wait(50);
    expect(log.entries.map(({ message, cause }) => `${message} ${String(cause)}`).slice(1)).to.deep.equal([
      'the database refused a request The database is out of resources: check its disk, its memory and max_connections (PostgreSQL error 53100).',
    ]);
    readiness.stop();
  });

  it('is not ready while the database is in recovery', async () => {
    // Only a standby server is in recovery.
    const state = { recovering: true, reading: true };
    const standby = { raw: () => '', first: () => ({ timeout: async () => state }) } as unknown as Knex;
    const readiness = watchDatabase({ db: standby, schema: '', log: memoryLog() });
    expect(await readiness.check()).to.match(/^The database is in recovery/);
    readiness.stop();
  });

  it('is not checked again for each failed request while it is not ready', async () => {
    let checks = 0;
    const alsoRequired = async () => `The disk is full, ${++checks}.`;
    const { db } = api.database;
    const readiness = watchDatabase({ db, schema: requiredSchema, log: memoryLog(), alsoRequired });
    await readiness.check();
    readiness.suspect(new Error('the request'));
    await wait(100);
    readiness.stop();
    expect(checks).to.equal(1);
  });

  it('is not ready if the database is read-only', async () => {
    const { db } = api.database;
    await db.transaction(async (trx) => {
      await trx.raw('set transaction read only');
      const readiness = watchDatabase({ db: trx, schema: '', log: memoryLog() });
      expect(await readiness.check()).to.equal('The database is read-only.');
      readiness.stop();
    });
  });
});

describe('a worker without a database', () => {
  const unreachable = openPostgresql('postgresql://map-app@/map-app?host=/missing');
  let api: Awaited<ReturnType<typeof start>>;
  before(async () => {
    api = await start({ ...unreachable, url: null });
  });
  after(async () => {
    api.server.close();
    api.server.closeAllConnections();
    api.dependencies.readiness.stop();
    await unreachable.close();
  });

  it('is alive, not ready, and reports why', async () => {
    expect((await api.get('/healthz')).status).to.equal(200);
    const { status, body } = await api.get('/readyz');
    expect(status).to.equal(503);
    expect(body.message).to.match(/cannot be reached \(ENOENT\)/);
  });

  it('returns 503 at once, and logs the cause once for any number of requests', async () => {
    const begin = performance.now();
    const answers = await Promise.all(Array.from({ length: 50 }, () => api.get('/api/locations')));
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([503]));
    expect(answers[0]?.headers.get('retry-after')).to.equal('1');
    expect((await api.post('/api/locations', point)).status).to.equal(503);
    expect(performance.now() - begin).to.be.lessThan(2_000);
    await wait(50);
    expect(api.log.entries.map(({ message }) => message)).to.deep.equal(['not ready']);
  });

  it('still names places, because that needs no database', async () => {
    expect((await api.post('/api/geocoder', point)).body.city).to.be.a('string');
  });
});

// The embedded database cannot be lost: it runs in the same process.
if (serverUrl) {
  describe('a worker that loses its database', () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-proxy-'));
    let database: TestDatabase;
    let proxied: ReturnType<typeof openPostgresql>;
    let proxy: Proxy;
    let api: Awaited<ReturnType<typeof start>>;
    before(async () => {
      database = await freshDatabase();
      proxy = await proxyTo(database.url ?? '', folder);
      proxied = openPostgresql(proxy.url);
      api = await start({ ...proxied, url: null });
    });
    after(async () => {
      api.server.close();
      api.server.closeAllConnections();
      api.dependencies.readiness.stop();
      await proxied.close();
      proxy.close();
      await database.close();
      rmSync(folder, { recursive: true });
    });
    const told = () => api.log.entries.map(({ message }) => message);

    it('returns 503 meanwhile, and recovers by itself', async () => {
      await api.get('/readyz');
      for (let turn = 0; turn < 3; turn++) {
        expect((await api.post('/api/locations', point)).status).to.equal(200);
        proxy.cut();
        const begin = performance.now();
        for (let attempt = 0; attempt < 5; attempt++) {
          expect((await api.get('/api/locations/counts')).status).to.equal(503);
        }
        expect(performance.now() - begin).to.be.lessThan(1_000);
        // The failed requests have triggered a check.
        while (told().at(-1) !== 'not ready') await wait(10);
        expect((await api.get('/readyz')).status).to.equal(503);
        await proxy.mend();
        expect((await api.get('/readyz')).status).to.equal(200);
        expect((await api.get('/api/locations/counts')).body.total_visitors).to.equal(turn + 1);
      }
      expect(told()).to.deep.equal([
        'ready',
        ...Array.from({ length: 3 }, () => ['not ready', 'ready again']).flat(),
      ]);
    });

    it('fails requests in progress when the server ends its sessions, and continues', async () => {
      const { db } = database;
      const sleeping = proxied.db.raw('select pg_sleep(20)').then(
        () => 'slept',
        (error: { code: string }) => error.code,
      );
      const running = () => db('pg_stat_activity').where({ state: 'active', query: 'select pg_sleep(20)' });
      while ((await running()).length === 0) await wait(20);
      await db.raw(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      expect(await sleeping).to.equal('57P01');
      // The pool may use each of the ended sessions once more before it notices.
      await wait(200);
      expect((await api.get('/api/locations/counts')).status).to.equal(200);
    });
  });
}
