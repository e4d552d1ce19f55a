import { expect } from 'chai';
import { staffEmail, useApi } from '../testing/api.ts';

/** Personal data in requests, in values that can be found in the log. */
const secrets = [
  '48.858844',
  '2.294351',
  'Eiffel',
  'visitor@example.net',
  '203.0.113.77',
  'Zaphod',
  'kiosk-key-4711',
];

describe('the log', () => {
  const broken = new Error('secret_table is broken');
  const api = useApi(() => ({
    geocoder: {
      locate: () => {
        throw broken;
      },
    },
    mailer: () => Promise.reject(broken),
  }));
  const headers = {
    'x-forwarded-for': '203.0.113.77',
    'idempotency-key': 'kiosk-key-4711',
    'user-agent': 'Zaphod',
  };

  /** Causes errors of every kind: validation, database, rejections by the API, and unexpected ones. */
  const provoke = async () => {
    const point = { lat: 48.858844, long: 2.294351 };
    const answers = [
      await api.call('POST', '/api/locations', { body: point, headers }),
      await api.call('POST', '/api/geocoder', { body: point, headers }),
      await api.call('POST', '/api/locations', { body: { ...point, lat: 480.858844 }, headers }),
      await api.call('POST', '/api/locations', { body: '{"lat":48.858844,', headers }),
      await api.call('GET', '/api/locations/city/Eiffel', { headers }),
      await api.call('GET', '/api/locations/city/Eiffel%00', { headers }),
      await api.call('GET', '/api/images/city?city=Eiffel', { headers }),
      await api.call('GET', '/api/animal_locations/lat_long?latitude=48.858844&longitude=2.294351', {
        headers,
      }),
      await api.call('POST', '/api/visitor_response', { body: { oid: 48 }, headers }),
      await api.call('POST', '/flask/auth', { body: { credential: 'Zaphod' }, headers }),
      await api.staff.call('POST', '/admin/email', {
        body: { email_address: 'visitor@example.net' },
        headers,
      }),
      await api.staff.call('PATCH', '/api/locations/1', { body: point, headers }),
    ];
    return answers;
  };

  it('contains no data of visitors, regardless of the error', async () => {
    const answers = await provoke();
    expect(answers.map(({ status }) => status)).to.include.members([500, 400, 404, 403, 200]);
    const text = JSON.stringify(api.log.entries);
    expect(text).to.include('request failed').and.to.include('secret_table');
    for (const secret of secrets) expect(text, secret).not.to.include(secret);
  });

  it('contains who of the staff changed what, but not the content', async () => {
    await api.staff.post('/api/questions', { text: 'Zaphod?' });
    const entry = api.log.entries.find(({ message }) => message === 'staff call');
    expect(entry).to.have.all.keys('level', 'message', 'method', 'route', 'email', 'requestId');
    expect(entry).to.include({ email: staffEmail, route: '/api/questions' });
  });

  it('shares the request id with the response', async () => {
    for (const { status, headers } of await provoke()) {
      const id = headers.get('x-request-id');
      expect(id).to.match(/^[\w-]{36}$/);
      if (status !== 500) continue;
      const [entry] = api.log.entries.filter(({ requestId }) => requestId === id);
      expect(entry).to.include({ level: 'error', message: 'request failed' });
    }
  });

  it('shares nothing else with a response: no cause, no stack, no SQL', async () => {
    for (const { body } of await provoke()) {
      expect(JSON.stringify(body)).not.to.match(
        /secret_table|\bat \S+:\d|node_modules|\.ts\b|\bselect\b|\binsert into\b/,
      );
    }
  });
});
