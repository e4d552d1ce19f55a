import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import { useApi } from '../testing/api.ts';
import { staticFiles } from '../cache/static-file.ts';
import { documentation } from './docs.ts';

describe('the page at /docs', () => {
  const api = useApi();
  const all = [
    '/docs',
    '/docs/start.js',
    '/docs/swagger-ui.css',
    '/docs/swagger-ui-bundle.js',
    '/openapi.json',
    '/openapi-3.0.json',
  ];

  it('loads everything from this origin, and its policy allows no other', async () => {
    const { status, headers, body } = await api.get('/docs');
    expect(status).to.equal(200);
    expect(headers.get('content-type')).to.equal('text/html; charset=utf-8');
    const policy = headers.get('content-security-policy');
    expect(policy).to.include("default-src 'none'").and.to.include("script-src 'self';");
    expect(policy).not.to.match(/unsafe|https?:|\*/);
    const asked = [...String(body).matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
    expect(asked).to.include.members(all.slice(1, -1));
    for (const address of asked.filter((address) => address !== 'data:,')) {
      expect(address).to.match(/^\/\w/);
      expect((await api.get(address)).status, address).to.equal(200);
    }
    // No inline scripts or styles.
    expect(body).not.to.match(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
  });

  it('shows only /openapi.json, and does not send it elsewhere', async () => {
    const { body } = await api.get('/docs/start.js');
    expect(String(body)).to.include("url: '/openapi.json'").and.to.include('validatorUrl: null');
  });

  it('serves the licences of its library', async () => {
    expect((await api.get('/docs/swagger-ui-bundle.js')).body).to.include('swagger-ui-bundle.js.LICENSE.txt');
    expect((await api.get('/docs/swagger-ui-bundle.js.LICENSE.txt')).body).to.match(/License|MIT/);
  });

  for (const path of all) {
    it(`${path} is revalidated each time, and sent again only if it has changed`, async () => {
      const { headers } = await api.get(path);
      expect(headers.get('cache-control')).to.equal('no-cache');
      const etag = headers.get('etag') ?? '';
      const again = await api.call('GET', path, { headers: { 'if-none-match': etag } });
      expect(again.status).to.equal(304);
      expect(again.body).to.equal(undefined);
      const other = await api.call('GET', path, { headers: { 'if-none-match': 'W/"other"' } });
      expect(other.status).to.equal(200);
    });

    it(`${path} is compressed if that saves a packet`, async () => {
      const plain = await api.call('GET', path, { headers: { 'accept-encoding': 'identity' } });
      expect(plain.headers.get('content-encoding')).to.equal(null);
      const isSmall = Number(plain.headers.get('content-length')) < 1000;
      for (const encoding of ['gzip', 'br', 'zstd']) {
        const packed = await api.call('GET', path, { headers: { 'accept-encoding': encoding } });
        expect(packed.headers.get('content-encoding')).to.equal(isSmall ? null : encoding);
        expect(packed.body).to.deep.equal(plain.body);
      }
    });

    it(`${path} accepts only GET`, async () => {
      const { status, headers } = await api.call('POST', path, { body: {} });
      expect(status).to.equal(405);
      expect(headers.get('allow')).to.equal('GET, HEAD, OPTIONS');
    });
  }
});

describe('the API definition', () => {
  it('is generated once, at its first request, and in OpenAPI 3.0 with the URL of the request', async () => {
    let generated = 0;
    const router = documentation(() => ({ paths: {}, generated: ++generated }));
    const server = createServer((request, response) =>
      router(request as Request, response as Response, () => response.destroy()),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      expect(generated).to.equal(0);
      for (const host of ['127.0.0.1', 'localhost']) {
        const base = `http://${host}:${port}`;
        const document = async (path: string) => (await fetch(base + path)).json();
        expect(await document('/openapi.json')).to.include({ generated: 1 });
        expect(await document('/openapi-3.0.json')).to.deep.include({
          generated: 1,
          servers: [{ url: base }],
        });
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('is kept for at most 20 names of the server', async () => {
    const read: string[] = [];
    const file = { path: '/a', mediaType: 'text/plain', hasBase: true };
    const router = staticFiles([{ ...file, read: (base) => Buffer.from(`${read.push(base)}`) }]);
    const server = createServer((request, response) =>
      router(request as Request, response as Response, () => response.destroy()),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    // fetch does not send another host.
    const textAt = async (host: string) => {
      const [response] = await once(get({ port, path: '/a', headers: { host } }), 'response');
      return String(Buffer.concat(await response.toArray()));
    };
    try {
      for (let name = 1; name <= 20; name++) expect(await textAt(`map-${name}`)).to.equal(`${name}`);
      expect(await textAt('map-1')).to.equal('1');
      expect(await textAt('map-21')).to.equal('21');
      expect(await textAt('map-1')).to.equal('22');
      expect(read).to.include('http://map-20');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
