import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import express from 'express';
import Joi from 'joi';
import type { Knex } from 'knex';
import { createPictures } from '../pictures/pictures.ts';
import { uploadReader } from '../pictures/reader.ts';
import { createCache } from '../cache/cache.ts';
import { unavailable } from './errors.ts';
import { watchDisk } from '../database/disk.ts';
import { memoryLog } from '../testing/log.ts';
import { failures } from './failure.ts';
import { openapi } from './openapi.ts';
import { asCsv, bytes, csv, json, redirect, redirected } from './reply.ts';
import { mount } from './mount.ts';
import { route } from './route.ts';

const output = Joi.object<{ size: number }, true>({ size: Joi.number().required() });
const text = Joi.object<{ text: string }, true>({ text: Joi.string().required() });

describe('a reply', () => {
  const log = memoryLog();
  let server: Server;
  let address: string;
  let made = 0;
  /** Resolved when the last source of lines was closed. */
  let ended = Promise.withResolvers<void>();
  /** Resolved when the test's client has closed its connection. */
  const left = Promise.withResolvers<void>();
  /** Resolved when the request of that client has arrived. */
  const arrived = Promise.withResolvers<void>();

  async function* lines(count: number) {
    try {
      for (; made < count; made++) yield `line ${made}\n`;
    } finally {
      ended.resolve();
    }
  }
  /** Yields its first line after the client has closed the connection. */
  async function* late() {
    arrived.resolve();
    await left.promise;
    await sleep(50);
    yield* lines(Infinity);
  }
  async function* failing(after: number) {
    yield* lines(after);
    throw after === 0 ? unavailable('The database is gone.') : new Error('secret_table is broken');
  }

  const png = { status: 200, description: 'A picture.', mediaType: 'image/png' };
  const missing = { status: 404, description: 'None.', mediaType: 'application/json', schema: output };
  const about = { method: 'get', access: 'public', summary: 'Test.' } as const;
  const routes = [
    route({ ...about, path: '/away', also: [redirected] }, () => redirect('https://example.org/donate')),
    route({ ...about, path: '/bytes', also: [png] }, () =>
      bytes(Buffer.from([1, 2, 3]), 'image/png', { 'Cache-Control': 'max-age=60' }),
    ),
    route({ ...about, path: '/missing', output, also: [missing] }, () => json({ size: 0 }, { status: 404 })),
    route({ ...about, path: '/rows', output, also: [asCsv] }, () => csv(lines(3), 'rows.csv')),
    route({ ...about, path: '/none', also: [asCsv] }, () => csv(lines(0), 'rows.csv')),
    route({ ...about, path: '/endless', also: [asCsv] }, () => csv(lines(Infinity), 'rows.csv')),
    route({ ...about, path: '/late', also: [asCsv] }, () => csv(late(), 'rows.csv')),
    route({ ...about, path: '/fails/at/once', also: [asCsv] }, () => csv(failing(0), 'rows.csv')),
    route({ ...about, path: '/fails/later', also: [asCsv] }, () => csv(failing(3), 'rows.csv')),
    route(
      { ...about, method: 'patch', path: '/large', input: { body: text }, bodyLimit: 50_000, output },
      ({ body }) => ({ size: body.text.length }),
    ),
  ];

  before(async () => {
    const db = {} as Knex;
    const app = express();
    app.use(
      mount(routes, {
        cache: createCache(db, 'test', () => undefined),
        db,
        disk: watchDisk({ disk: null, log }),
        gate: () => Promise.reject(new Error('closed')),
        log,
        uploadReader: uploadReader(createPictures()),
      }),
    );
    app.use(failures(log, () => undefined));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    made = 0;
    ended = Promise.withResolvers();
    log.entries.length = 0;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  it('redirects the client', async () => {
    const response = await fetch(`${address}/away`, { redirect: 'manual' });
    expect(response.status).to.equal(302);
    expect(response.headers.get('location')).to.equal('https://example.org/donate');
  });

  it('contains bytes, with their media type and additional headers', async () => {
    const response = await fetch(`${address}/bytes`);
    expect(response.headers.get('content-type')).to.equal('image/png');
    expect(response.headers.get('content-length')).to.equal('3');
    expect(response.headers.get('cache-control')).to.equal('max-age=60');
    expect(await response.bytes()).to.deep.equal(new Uint8Array([1, 2, 3]));
  });

  it('contains JSON with another status', async () => {
    const response = await fetch(`${address}/missing`);
    expect(response.status).to.equal(404);
    expect(await response.json()).to.deep.equal({ size: 0 });
  });

  describe('that is streamed', () => {
    it('is sent as a complete file', async () => {
      const response = await fetch(`${address}/rows`);
      expect(response.headers.get('content-type')).to.equal('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).to.equal('attachment; filename="rows.csv"');
      expect(await response.text()).to.equal('line 0\nline 1\nline 2\n');
      await ended.promise;
    });

    it('may be empty', async () => {
      const response = await fetch(`${address}/none`);
      expect(response.status).to.equal(200);
      expect(await response.text()).to.equal('');
    });

    it('generates nothing for HEAD', async () => {
      const response = await fetch(`${address}/rows`, { method: 'HEAD' });
      expect(response.headers.get('content-type')).to.equal('text/csv; charset=utf-8');
      expect(made).to.equal(0);
    });

    it('ends when its client disconnects, without logging an error', async () => {
      const call = request(`${address}/endless`).end();
      const [response] = await once(call, 'response');
      await once(response, 'data');
      call.destroy();
      await ended.promise;
      await sleep(50);
      expect(log.entries).to.deep.equal([]);
    });

    it('logs nothing and closes the source when the client leaves before the first chunk', async () => {
      const call = request(`${address}/late`).end();
      call.on('error', () => undefined);
      await arrived.promise;
      call.destroy();
      left.resolve();
      await ended.promise;
      await sleep(50);
      expect(log.entries).to.deep.equal([]);
    });

    it('waits for a client that reads slowly', async () => {
      const call = request(`${address}/endless`).end();
      const [response] = await once(call, 'response');
      response.pause();
      let before;
      do {
        before = made;
        await sleep(300);
      } while (made > before);
      expect(made).to.be.above(1);
      call.destroy();
      await ended.promise;
    });

    it('is an error if it fails at once', async () => {
      const response = await fetch(`${address}/fails/at/once`);
      expect(response.status).to.equal(503);
      expect(response.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(response.headers.get('content-disposition')).to.equal(null);
      expect(await response.json()).to.deep.equal({ success: false, message: 'The database is gone.' });
    });

    it('is aborted instead of ended if it fails later', async () => {
      const response = await fetch(`${address}/fails/later`);
      expect(response.status).to.equal(200);
      const failure = await response.text().catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(Error);
      expect(log.entries).to.have.length(1);
      expect(log.entries[0]).to.include({ message: 'request failed', cause: 'secret_table is broken' });
    });
  });

  it('may follow a body as large as its route allows', async () => {
    const send = (length: number) =>
      fetch(`${address}/large`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: 'x'.repeat(length) }),
      });
    expect(await (await send(49_000)).json()).to.deep.equal({ size: 49_000 });
    expect((await send(51_000)).status).to.equal(413);
  });

  it('is declared in the OpenAPI document', () => {
    type Responses = Record<string, { content?: Record<string, unknown> }>;
    const { paths } = openapi(routes, 'test') as { paths: Record<string, { get: { responses: Responses } }> };
    const kinds = (path: string) =>
      Object.fromEntries(
        Object.entries(paths[path]?.get.responses ?? {}).map(([status, { content = {} }]) => [
          status,
          Object.keys(content),
        ]),
      );
    const error = { 412: ['application/json'], 503: ['application/json'] };
    expect(kinds('/away')).to.deep.equal({ 302: [], ...error });
    expect(kinds('/bytes')).to.deep.equal({ 200: ['image/png'], ...error });
    expect(kinds('/rows')).to.deep.equal({ 200: ['application/json', 'text/csv'], ...error });
    expect(kinds('/missing')).to.deep.equal({
      200: ['application/json'],
      404: ['application/json'],
      ...error,
    });
  });
});
