import { expect } from 'chai';
import { connect } from 'node:net';
import { once } from 'node:events';
import { useApi } from './testing/api.ts';

const failing = () => {
  throw new Error('secret_table is broken');
};

describe('every call', () => {
  const api = useApi();

  describe('that fails returns success false and one sentence', () => {
    const point = { lat: 34, long: -118 };
    const json = 'application/json';
    const cases: [string, string, string, number, { body?: unknown; headers?: Record<string, string> }?][] = [
      ['an unknown address', 'GET', '/nothing/here', 404],
      ['an address with one letter too many', 'GET', '/api/locationss', 404],
      ['a method that the path does not support', 'PUT', '/api/locations', 405, { body: point }],
      ['an address whose encoding is broken', 'GET', '/api/locations/city/%', 400],
      ['a form', 'POST', '/api/locations', 415, { body: 'lat=1', headers: { 'content-type': 'text/plain' } }],
      [
        'a type with a typing error',
        'POST',
        '/api/locations',
        415,
        { body: '{}', headers: { 'content-type': 'application/jsn' } },
      ],
      ['malformed JSON', 'POST', '/api/locations', 400, { body: '{"lat":' }],
      ['JSON that is not an object', 'POST', '/api/locations', 400, { body: '7' }],
      [
        'broken UTF-8',
        'POST',
        '/api/locations',
        400,
        { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
      ],
      [
        'another charset',
        'POST',
        '/api/locations',
        415,
        { body: point, headers: { 'content-type': `${json}; charset=latin1` } },
      ],
      [
        'a compressed body',
        'POST',
        '/api/locations',
        415,
        { body: point, headers: { 'content-encoding': 'gzip' } },
      ],
      ['a body too large', 'POST', '/api/locations', 413, { body: { ...point, note: 'x'.repeat(20_000) } }],
      ['no body', 'POST', '/api/locations', 400],
    ];
    for (const [name, method, path, status, call] of cases) {
      it(`${status} to ${name}`, async () => {
        const answer = await api.call(method, path, call);
        expect(answer.status).to.equal(status);
        expect(answer.headers.get('content-type')).to.equal('application/json; charset=utf-8');
        expect(answer.body).to.have.all.keys('success', 'message');
        expect(answer.body.success).to.equal(false);
        expect(answer.body.message).to.match(/^\S.*\.$/);
      });
    }

    it('and lists the supported methods with 405', async () => {
      expect((await api.call('DELETE', '/api/locations')).headers.get('allow')).to.equal(
        'GET, HEAD, POST, OPTIONS',
      );
    });
  });

  it('returns for HEAD the headers of GET without the body', async () => {
    const response = await fetch(`${api.address}/api/locations`, { method: 'HEAD' });
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-length')).to.equal(String('{"locations":[]}'.length));
    expect(await response.text()).to.equal('');
  });

  it('survives a client that disconnects in the middle of its body', async () => {
    const socket = connect(Number(new URL(api.address).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /api/locations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"lat"',
    );
    socket.destroy();
    expect((await api.get('/healthz')).status).to.equal(200);
  });
});

describe('a call that fails because of a bug', () => {
  const api = useApi(() => ({ geocoder: { locate: failing } }));

  it('returns a generic 500 and logs the cause with the request id', async () => {
    const { status, body, headers } = await api.call('POST', '/api/geocoder', {
      body: { lat: 1, long: 2 },
      headers: { 'x-request-id': 'abc-123' },
    });
    expect(status).to.equal(500);
    expect(body.message).not.to.include('secret_table');
    expect(headers.get('x-request-id')).to.equal('abc-123');
    const [entry] = api.log.entries.filter(
      ({ level, message }) => level === 'error' && message === 'request failed',
    );
    expect(entry).to.include({ requestId: 'abc-123', cause: 'secret_table is broken' });
    expect(entry?.['stack']).to.be.a('string');
  });

  it('generates a request id if the given one could forge a line of the log', async () => {
    const { headers } = await api.call('POST', '/api/geocoder', {
      body: { lat: 1, long: 2 },
      headers: { 'x-request-id': 'abc" level="info' },
    });
    expect(headers.get('x-request-id')).to.match(/^[0-9a-f-]{36}$/);
  });
});

describe('calls from other origins', () => {
  const kiosk = 'https://kiosk.example.org';
  const preflight = {
    origin: kiosk,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,access-control-allow-origin',
  };

  describe('with a list of origins', () => {
    const api = useApi(() => ({ corsOrigins: new Set([kiosk]) }));

    it('are allowed, with all headers that the clients send, and without credentials', async () => {
      const { status, headers } = await api.call('OPTIONS', '/api/locations', { headers: preflight });
      expect(status).to.equal(204);
      expect(headers.get('access-control-allow-origin')).to.equal(kiosk);
      expect(headers.get('access-control-allow-methods')).to.equal('GET, POST, PATCH, DELETE');
      expect(headers.get('access-control-allow-headers')?.split(', ')).to.include.members([
        'content-type',
        'authorization',
        'access-control-allow-origin',
        'if-none-match',
      ]);
      expect(headers.get('allow')).to.equal('GET, HEAD, POST, OPTIONS');
      expect(headers.get('access-control-allow-credentials')).to.equal(null);
    });

    it('may read responses, including errors', async () => {
      for (const path of ['/api/locations', '/nothing/here']) {
        const { headers } = await api.call('GET', path, { headers: { origin: kiosk } });
        expect(headers.get('access-control-allow-origin')).to.equal(kiosk);
        expect(headers.get('vary')).to.match(/^Origin\b/);
        expect(headers.get('access-control-expose-headers')).to.equal(
          'ETag, Link, Retry-After, X-Request-Id',
        );
      }
    });

    it('may request an unknown path, to read its 404', async () => {
      expect((await api.call('OPTIONS', '/nothing/here', { headers: preflight })).status).to.equal(204);
    });

    it('are not allowed from other origins', async () => {
      const { headers } = await api.call('GET', '/api/locations', {
        headers: { origin: 'https://evil.example.org' },
      });
      expect(headers.get('access-control-allow-origin')).to.equal(null);
    });
  });

  describe('with all origins allowed', () => {
    const api = useApi(() => ({ corsOrigins: new Set(['*']) }));

    it('are allowed from any origin', async () => {
      const { headers } = await api.call('OPTIONS', '/api/locations', { headers: preflight });
      expect(headers.get('access-control-allow-origin')).to.equal('*');
    });
  });
});
