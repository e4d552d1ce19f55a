import { expect } from 'chai';
import { declareRoutes } from '../app.ts';
import { claimOf } from './idempotency.ts';
import { useApi } from '../testing/api.ts';
import { rulesOf, sampleOf } from '../testing/inputs.ts';

const losAngeles = { lat: 34.0522, long: -118.2437 };
const midPacific = { lat: 0, long: -140 };

describe('a request with an Idempotency-Key', () => {
  const api = useApi();
  const pin = (key: string, body: unknown = losAngeles) =>
    api.call('POST', '/api/locations', { body, headers: { 'idempotency-key': key } });
  const stored = async () => (await api.get('/api/locations')).body.locations.length;
  const option = async (): Promise<number> => {
    const { body } = await api.staff.post('/api/questions', { text: 'Why?' });
    return (await api.staff.post(`/api/options/qid/${body.qid}`, { text: 'Because' })).body.oid;
  };

  it('is executed once and gets the same response, even after other requests', async () => {
    const first = await pin('a');
    expect(first.status).to.equal(200);
    expect(first.body).to.deep.include({ success: true, city: 'Los Angeles', city_count: 1 });
    await api.post('/api/locations', losAngeles);
    const again = await pin('a');
    expect(again.status).to.equal(200);
    expect(again.body).to.deep.equal(first.body);
    expect(again.headers.get('content-type')).to.equal(first.headers.get('content-type'));
    expect(await stored()).to.equal(2);
    expect((await pin('b')).body.city_count).to.equal(3);
  });

  it('is executed once for survey answers too, and each call has its own keys', async () => {
    const oid = await option();
    const answer = () =>
      api.call('POST', '/api/visitor_response', { body: { oid }, headers: { 'idempotency-key': 'a' } });
    expect((await pin('a')).status).to.equal(200);
    expect((await answer()).body.message).to.equal('The answer is recorded.');
    expect((await answer()).body.message).to.equal('The answer is recorded.');
    expect((await api.staff.get('/api/visitor_response')).body.responses).to.have.length(1);
  });

  it('is executed once for staff too, where a repetition without a key would be rejected', async () => {
    const headers = { 'idempotency-key': 'a' };
    const { qid } = (await api.staff.post('/api/questions', { text: 'Why?' })).body;
    for (const [path, body] of [
      ['/api/questions', { text: 'How?' }],
      [`/api/options/qid/${qid}`, { text: 'So' }],
      ['/admin/count', { name: 'num_released', total: 1 }],
    ] as const) {
      const first = await api.staff.call('POST', path, { body, headers });
      expect(first.status, path).to.equal(200);
      expect((await api.staff.call('POST', path, { body, headers })).body, path).to.deep.equal(first.body);
      expect((await api.staff.post(path, body)).status, path).to.equal(409);
      expect((await api.call('POST', path, { body, headers })).status, path).to.equal(401);
    }
    const other = await api.staff.call('POST', `/api/options/qid/${qid + 1}`, {
      body: { text: 'So' },
      headers,
    });
    expect(other.status).to.equal(422);
  });

  it('is rejected if the key was used with another body', async () => {
    await pin('a');
    const { status, body } = await pin('a', { ...losAngeles, lat: 34 });
    expect(status).to.equal(422);
    expect(body.message).to.match(/^This Idempotency-Key was used for another request/);
    expect(await stored()).to.equal(1);
  });

  it('is executed once if many arrive concurrently, and all of them get the same response', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => pin('a')));
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).to.equal(1);
    expect(await stored()).to.equal(1);
  });

  it('counts correctly with other concurrent requests', async function () {
    this.timeout(30_000);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, turn) =>
        turn % 2 ? pin(`key-${turn % 10}`) : api.post('/api/locations', losAngeles),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
    expect(await stored()).to.equal(35);
    const { body } = await api.get('/api/locations/counts');
    expect(body.total_visitors).to.equal(35);
    const counts = new Set(answers.map(({ body }) => body.city_count));
    expect(counts.size).to.equal(35);
  });

  it('may be repeated after it was rejected', async () => {
    expect((await pin('a', midPacific)).status).to.equal(422);
    expect((await pin('a', { lat: 1 })).status).to.equal(400);
    expect((await pin('a')).status).to.equal(200);
    const oid = await option();
    const answer = (body: object) =>
      api.call('POST', '/api/visitor_response', { body, headers: { 'idempotency-key': 'b' } });
    expect((await answer({ oid: oid + 1 })).status).to.equal(404);
    expect((await answer({ oid })).status).to.equal(200);
  });

  it('is executed again after a day, and expired keys are deleted', async () => {
    await pin('a');
    await pin('b');
    await api.database.db('idempotency').update({ expires_at: new Date(Date.now() - 1) });
    expect((await pin('a', { ...losAngeles, lat: 34.06 })).body.city_count).to.equal(3);
    expect((await pin('a', { ...losAngeles, lat: 34.06 })).body.city_count).to.equal(3);
    const { rows } = await api.database.db.raw(
      "select expires_at - now() > interval '23 hours 59 minutes' as fresh from idempotency",
    );
    expect(rows).to.deep.equal([{ fresh: true }]);
  });

  it('leaves neither key nor body readable in the database', async () => {
    await pin('a-key-of-mine');
    const [row] = await api.database.db('idempotency');
    expect(Buffer.from(row?.key ?? [])).to.have.length(32);
    expect(JSON.stringify(row)).not.to.include('a-key-of-mine').and.not.include('34.0522');
  });

  for (const [what, key] of Object.entries({
    empty: '',
    'with blanks': 'a b',
    'too long': 'x'.repeat(256),
    'not ASCII': 'é',
  })) {
    it(`is a 400 if the key is ${what}`, async () => {
      expect((await pin(key)).status).to.equal(400);
      expect(await stored()).to.equal(0);
    });
  }

  it('may have any other key, including a quoted one', async () => {
    for (const key of ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'x'.repeat(255), "';--"]) {
      expect((await pin(key)).status).to.equal(200);
      expect((await pin(key)).status).to.equal(200);
    }
    expect(await stored()).to.equal(3);
  });

  it('is executed once even if its transaction is rolled back and retried', async () => {
    const { db } = api.database;
    await db.raw(`
        create sequence attempt;
        create function fail_once() returns trigger language plpgsql as $$
        begin
          if nextval('attempt') = 1 then raise exception 'deadlock' using errcode = '40P01'; end if;
          return null;
        end $$;
        create trigger fail_once after insert on pin for each row execute function fail_once()`);
    try {
      const { status, body } = await pin('a');
      expect(status).to.equal(200);
      expect(body.city_count).to.equal(1);
      expect((await pin('a')).body).to.deep.equal(body);
    } finally {
      await db.raw('drop trigger fail_once on pin; drop function fail_once; drop sequence attempt');
    }
    expect(await stored()).to.equal(1);
  });
});

describe('while workers of the previous release run on the new schema', () => {
  const api = useApi();
  const call = { key: 'a', call: 'post /api/locations', input: { body: losAngeles } };
  const place = { city: 'Los Angeles', state: 'California', country: 'United States of America' };
  const first = { success: true, ...place, distance: 1, message: 'Stored.' };
  const counts = { city_count: 1, state_count: 1, country_count: 1 };
  /** Stores a pin as the previous release does. */
  const storeAsBefore = async () => {
    const pin = {
      ...claimOf(call),
      latitude: losAngeles.lat,
      longitude: losAngeles.long,
      ...place,
      answer: first,
    };
    const { rows } = await api.database.db.raw('select * from pin_add_once(?)', [JSON.stringify([pin, pin])]);
    return rows.map(({ answer }: { answer: string }) => JSON.parse(answer));
  };
  const store = () =>
    api.call('POST', '/api/locations', { body: losAngeles, headers: { 'idempotency-key': 'a' } });
  const stored = async () => (await api.get('/api/locations')).body.locations.length;

  it('this release does not store their pins again', async () => {
    expect(await storeAsBefore()).to.deep.equal([{ ...first, ...counts }]);
    expect((await store()).body).to.deep.include(counts);
    // The form in which the old schema stored the response.
    await api.database.db('idempotency').update({ answer: JSON.stringify({ ...first, ...counts }) });
    expect((await store()).body).to.deep.include(counts);
    expect(await stored()).to.equal(1);
  });

  it('they return the whole response of a pin that this release stored', async () => {
    await store();
    expect(await storeAsBefore()).to.deep.equal([{ ...first, ...counts }]);
    expect(await stored()).to.equal(1);
  });
});

describe('every idempotent route', () => {
  const api = useApi(() => ({ findAddress: async () => ({ lat: 1, long: 1, name: 'Somewhere' }) }));
  const tables = ['pin', 'animal', 'question', 'option', 'visitor_response', 'count', 'idempotency'];
  /** Values that cannot be derived from the schemas. */
  const samples: Record<string, object> = {
    '/api/locations': losAngeles,
    '/api/animal_locations': { animal_images: '' },
    '/api/animal_locations/address': { animal_images: '', animal_name: 'Crush' },
    '/api/visitor_response': { oid: 1 },
  };
  const rows = async () => {
    const { rows } = await api.database.db.raw(
      `select ${tables.map((table) => `(select count(*)::int from "${table}") as "${table}"`).join(', ')}`,
    );
    return rows[0];
  };

  it('writes in the transaction that records its response', async () => {
    const { db } = api.database;
    const { qid } = (await api.staff.post('/api/questions', { text: 'Why?' })).body;
    await api.staff.post(`/api/options/qid/${qid}`, { text: 'Because' });
    const routes = declareRoutes(api.dependencies).filter(({ idempotent }) => idempotent);
    expect(routes.length).to.be.greaterThan(5);
    for (const { method, path, input = {} } of routes) {
      const body = { ...sampleOf(rulesOf(input.body!)), ...samples[path] };
      const request = () =>
        api.staff.call(method.toUpperCase(), path.replace(/:\w+/, String(qid)), {
          body: {
            ...body,
            ...('lat' in body && { lat: 34.0522, long: -118.2437 }),
            ...('oid' in body && { oid: 1 }),
          },
          headers: { 'idempotency-key': 'a' },
        });
      const before = await rows();
      await db.raw(`
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
        create trigger refuse before update on idempotency for each row execute function refuse()`);
      try {
        expect((await request()).status, path).to.equal(500);
      } finally {
        await db.raw('drop trigger refuse on idempotency; drop function refuse');
      }
      expect(await rows(), path).to.deep.equal(before);
      expect((await request()).status, path).to.equal(200);
      expect(await rows(), path).not.to.deep.equal(before);
    }
  });
});
