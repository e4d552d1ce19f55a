import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { start, useApi } from '../testing/api.ts';
import { tiny } from '../testing/pictures.ts';
import { stateCheck } from './state.ts';

type Raw = { status: number; headers: Record<string, string | string[] | undefined>; bytes: Buffer };

/** Sends a request and returns the raw bytes; fetch would decompress them. */
function raw(address: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Raw> {
  const { promise, resolve, reject } = Promise.withResolvers<Raw>();
  request(address, { headers, method, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('error', reject);
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }),
    );
  })
    .on('error', reject)
    .end();
  return promise;
}

const pinOf = (number: number) => ({
  latitude: 1,
  longitude: number / 1_000,
  country: 'Oz',
  state: null,
  city: `Town ${number}`,
});

describe('cached responses', () => {
  const api = useApi();
  const paths: Record<string, (db: Knex) => PromiseLike<unknown>> = {
    '/api/locations': (db) => db('pin').insert(pinOf(1)),
    '/api/locations/counts': (db) => db('pin').insert(pinOf(1)),
    '/api/locations/counts?country=Oz&state=x': (db) => db('pin').insert(pinOf(1)),
    '/api/locations/country/Oz': (db) => db('pin').insert(pinOf(1)),
    '/api/locations/state/x': (db) => db('pin').insert({ ...pinOf(1), state: 'x' }),
    '/api/locations/city/Town%201': (db) => db('pin').insert(pinOf(1)),
    '/api/animal_locations': addAnimal,
    '/api/animal_locations/address': addAnimal,
    '/api/animal_locations/lat_long?latitude=1&longitude=2': addAnimal,
    '/api/questions': (db) => db('question').insert({ text: 'Another?' }),
    '/api/options': addOption,
    '/admin/count': (db) => db('count').insert({ name: 'another', total: 1 }),
    '/collections/pins/items?bbox=0,0,1,1': (db) => db('pin').insert(pinOf(1)),
    '/collections/pins/items?f=csv': (db) => db('pin').insert(pinOf(1)),
    '/collections/pins/grid?zoom=3': (db) => db('pin').insert(pinOf(1)),
    '/collections/pins/items?country=Oz&sortby=-visit_date': (db) => db('pin').insert(pinOf(1)),
    '/collections/animals/items': addAnimal,
    '/collections/animals': addAnimal,
    '/collections': (db) => db('pin').insert(pinOf(1)),
  };
  async function addAnimal(db: Knex) {
    await db('animal').insert({
      latitude: 1,
      longitude: 2,
      name: 'Rosie',
      location_name: 'x',
      placement_year: null,
    });
  }
  async function addOption(db: Knex) {
    const [question] = await db('question').insert({ text: 'One?' }).returning('id');
    await db('option').insert({ question_id: question!.id, text: 'Yes' });
  }
  /**
   * A response and the 304 that follows. PostgreSQL's own maintenance may change the snapshot in between; then it
   * retries.
   */
  const twice = async (path: string): Promise<[Raw, Raw]> => {
    for (let attempt = 1; ; attempt++) {
      const first = await raw(api.address + path);
      const second = await ask(path, first.headers.etag as string);
      if (second.status === 304 || attempt === 10) return [first, second];
    }
  };
  const tagOf = async (path: string) => (await raw(api.address + path)).headers.etag as string;
  const ask = (path: string, tag: string) => raw(api.address + path, { 'if-none-match': tag });

  it('has tags that depend on when PostgreSQL started and last reset its statistics', async () => {
    const { db } = api.database;
    const { rows } = await db.raw(
      'select pg_postmaster_start_time()::text as start, pg_stat_get_bgwriter_stat_reset_time()::text as reset',
    );
    const { animals } = await stateCheck(db).now();
    expect(animals).to.match(/^\S+ \S+ \S+ \S+ \d+$/);
    expect(animals).to.include(`${rows[0].start} ${rows[0].reset}`);
  });

  for (const [path, write] of Object.entries(paths)) {
    it(`304 for ${path} until its rows change, then a new body`, async () => {
      const [before, same] = await twice(path);
      expect(before.status).to.equal(200);
      const vary = /\/items|^\/collections$/.test(path)
        ? 'Origin, Accept, Accept-Encoding'
        : 'Origin, Accept-Encoding';
      expect(before.headers).to.include({ 'cache-control': 'no-cache', vary });
      const tag = before.headers.etag as string;
      expect(tag).to.match(/^W\/"[\w-]{20}"$/);

      expect(same.status).to.equal(304);
      expect(same.bytes.length).to.equal(0);
      expect(same.headers).to.include({
        etag: tag,
        'cache-control': 'no-cache',
        vary,
      });
      expect(same.headers).not.to.have.any.keys('content-length', 'content-type', 'content-encoding');

      await write(api.database.db);
      const after = await ask(path, tag);
      expect(after.status).to.equal(200);
      expect(after.headers.etag).not.to.equal(tag);
      expect(after.bytes.equals(before.bytes)).to.equal(false);
    });
  }

  it('have other tags in another release', async () => {
    const other = await start(api.database, () => ({ version: 'other' }));
    try {
      for (const path of ['/admin/count', '/api/questions']) {
        expect((await raw(other.address + path)).headers.etag).not.to.equal(await tagOf(path));
        expect((await raw(api.address + path)).headers.etag).to.equal(await tagOf(path));
      }
    } finally {
      other.server.close();
      other.server.closeAllConnections();
      other.dependencies.readiness.stop();
    }
  });

  it('stay valid for the animals, the survey and the totals when a pin is added', async () => {
    const others = ['/api/animal_locations', '/api/questions', '/admin/count'];
    const tags = await Promise.all(others.map(tagOf));
    const pins = await tagOf('/api/locations');
    await api.post('/api/locations', { lat: 34.05, long: -118.24 });
    expect((await ask('/api/locations', pins)).status).to.equal(200);
    expect(await Promise.all(others.map(tagOf))).to.deep.equal(tags);
  });

  it('match a tag in a list, strong or weak, and no other tag', async () => {
    const tag = await tagOf('/api/questions');
    for (const [header, status] of [
      [`"x", ${tag} ,"y"`, 304],
      [tag.replace('W/', ''), 304],
      ['"x"', 200],
      ['*', 304],
      ['', 200],
      [await tagOf('/api/options'), 200],
      [tag.slice(0, -2), 200],
    ] as const) {
      expect((await ask('/api/questions', header)).status, header).to.equal(status);
    }
  });

  it('evaluate conditions only if the response would be a 200', async () => {
    const send = async (path: string, headers: Record<string, string>) =>
      (await raw(api.address + path, headers)).status;
    const [questions, missing, health] = ['/api/questions', '/api/questions/qid/7', '/healthz'];
    const tag = await tagOf(questions);
    for (const [path, headers, status] of [
      [questions, { 'if-none-match': '*' }, 304],
      [questions, { 'if-match': '*' }, 200],
      [questions, { 'if-match': '"x"' }, 412],
      // Weak tags never match strongly.
      [questions, { 'if-match': tag }, 412],
      [questions, { 'if-match': '"x"', 'if-none-match': tag }, 412],
      [questions, { 'if-match': '*', 'if-none-match': tag }, 304],
      [missing, { 'if-none-match': '*' }, 404],
      [missing, { 'if-match': '"x"' }, 404],
      [health, { 'if-none-match': '*' }, 304],
      [health, { 'if-none-match': '"x"' }, 200],
      [health, { 'if-match': '"x"' }, 412],
      ['/openapi.json', { 'if-none-match': '*' }, 304],
      ['/openapi.json', { 'if-match': '"x"' }, 412],
      ['/api/donation_redirect', { 'if-match': '"x"' }, 503],
    ] as const) {
      expect(await send(path, headers), `${path} ${JSON.stringify(headers)}`).to.equal(status);
    }
  });

  it('return for HEAD the headers of GET', async () => {
    await api.database.db('pin').insert(Array.from({ length: 50 }, (_, number) => pinOf(number)));
    const encoding = { 'accept-encoding': 'br' };
    const get = await raw(`${api.address}/api/locations`, encoding);
    const head = await raw(`${api.address}/api/locations`, encoding, 'HEAD');
    const { date: _a, 'x-request-id': _b, ...one } = get.headers;
    const { date: _c, 'x-request-id': _d, ...other } = head.headers;
    expect(other).to.deep.equal(one);
    expect(head.bytes.length).to.equal(0);
  });

  it('are compressed if large enough, in the encoding that the client prefers', async () => {
    await api.database.db('pin').insert(Array.from({ length: 200 }, (_, number) => pinOf(number)));
    const plain = await raw(`${api.address}/api/locations`);
    expect(plain.headers['content-encoding']).to.equal(undefined);
    for (const [encoding, undo] of [
      ['zstd', zstdDecompressSync],
      ['br', brotliDecompressSync],
      ['gzip', gunzipSync],
    ] as const) {
      const { headers, bytes } = await raw(`${api.address}/api/locations`, { 'accept-encoding': encoding });
      expect(headers).to.include({ 'content-encoding': encoding, 'content-length': String(bytes.length) });
      expect(headers.etag).to.equal(plain.headers.etag);
      expect(bytes.length).to.be.lessThan(plain.bytes.length / 5);
      expect(undo(bytes).equals(plain.bytes)).to.equal(true);
    }
    const counts = await raw(`${api.address}/api/locations/counts`, { 'accept-encoding': 'gzip' });
    expect(counts.headers['content-encoding']).to.equal(undefined);
  });

  it('return 404 for a missing resource regardless of the tag', async () => {
    const gone = await raw(`${api.address}/api/questions/qid/7`, {
      'if-none-match': await tagOf('/api/questions'),
    });
    expect(gone.status).to.equal(404);
    expect(gone.headers).not.to.have.any.keys('etag', 'cache-control');
  });

  it('read no row for a 304 or a cached body', async () => {
    const asked: string[] = [];
    const note = ({ sql }: { sql: string }) => asked.push(sql);
    const tag = await tagOf('/admin/count');
    api.database.db.on('query', note);
    try {
      expect((await ask('/admin/count', tag)).status).to.equal(304);
      expect((await raw(`${api.address}/admin/count`)).status).to.equal(200);
    } finally {
      api.database.db.off('query', note);
    }
    expect(asked).to.have.length(2);
    for (const sql of asked) expect(sql).to.include('pg_current_snapshot');
  });

  it('that are built anew need no check of the state just after another one, and show all writes', async () => {
    let checks = 0;
    const note = ({ sql }: { sql: string }) => {
      if (sql.includes('jsonb_object_agg')) checks++;
    };
    const { db } = api.database;
    const path = '/api/locations/counts?country=Oz&state=';
    const countsOf = async (state: string, headers = {}) => {
      const { bytes } = await raw(`${api.address}${path}${state}`, headers);
      return JSON.parse(bytes.toString());
    };
    await tagOf(`${path}first`);
    db.on('query', note);
    try {
      let turn = 0;
      // A check is recent for 100 ms, which a busy host may exceed.
      for (let isQuick = false; !isQuick;) {
        [turn, checks] = [turn + 1, 0];
        const begin = performance.now();
        await countsOf('first');
        expect(checks, 'of a body that is held').to.equal(1);
        await db('pin').insert(pinOf(turn));
        expect(await countsOf(`second${turn}`)).to.include({ this_country_count: turn });
        isQuick = performance.now() - begin < 100;
        if (isQuick) expect(checks, 'of a new body').to.equal(1);
      }
      await countsOf(`second${turn}`);
      await countsOf('third', { 'if-none-match': '"x"' });
      expect(checks, 'of a body that is held, and of a request with a condition').to.equal(3);
      await wait(150);
      await countsOf('fourth');
      expect(checks, 'of a new body later').to.equal(4);
    } finally {
      db.off('query', note);
    }
  });

  it('query the database once for concurrent requests', async () => {
    await tagOf('/api/locations');
    let asked = 0;
    const seen = { arrived: 0 };
    const note = ({ sql }: { sql: string }) => {
      if (sql.includes('pg_current_snapshot')) asked++;
    };
    const count = () => seen.arrived++;
    const { db } = api.database;
    db.on('query', note);
    subscribe('http.server.request.start', count);
    try {
      // While this transaction is open, the state query waits.
      const answers = await db.transaction(async (transaction) => {
        await transaction.raw('lock table revision');
        const waiting = Array.from({ length: 50 }, () => raw(`${api.address}/api/locations`));
        while (seen.arrived < 50) await wait(10);
        await wait(100);
        return waiting;
      });
      for (const { status } of await Promise.all(answers)) expect(status).to.equal(200);
    } finally {
      db.off('query', note);
      unsubscribe('http.server.request.start', count);
    }
    expect(asked).to.equal(2);
  });

  it('stream a list that is too large for the cache', async function () {
    this.timeout(60_000);
    // 8.5 MB, just above the limit. Long names, because many rows take longer.
    const many = 8_000;
    await api.database.db.raw(
      `insert into pin (latitude, longitude, country, city)
       select 1, 2, 'Oz', (select string_agg(md5(number || ' ' || part), '') from generate_series(1, 30) part)
       from generate_series(1, ?::int) number`,
      [many],
    );
    for (let turn = 0; turn < 2; turn++) {
      const { headers, bytes } = await raw(`${api.address}/api/locations`, { 'accept-encoding': 'gzip' });
      expect(headers['transfer-encoding']).to.equal('chunked');
      const { locations } = JSON.parse(gunzipSync(bytes).toString());
      expect(locations).to.have.length(many);
    }
    const [whole, unchanged] = await twice('/api/locations');
    expect(whole.headers['transfer-encoding']).to.equal('chunked');
    expect(unchanged.status).to.equal(304);
    await api.database.db('pin').where('id', '>', 10).delete();
    const [first, second] = [
      await raw(`${api.address}/api/locations`),
      await raw(`${api.address}/api/locations`),
    ];
    expect(first.headers['transfer-encoding']).to.equal('chunked');
    expect(second.headers['content-length']).to.equal(String(first.bytes.length));
    expect(second.bytes.equals(first.bytes)).to.equal(true);
  });

  it('show writes of the staff immediately', async () => {
    const before = await tagOf('/api/animal_locations');
    const rosie = { animal_name: 'Rosie', location_name: 'Bay', placement_year: 2013, lat: 1, long: 2 };
    await api.staff.post('/api/animal_locations', { ...rosie, animal_images: tiny.png.toString('base64') });
    const { status, bytes } = await ask('/api/animal_locations', before);
    expect(status).to.equal(200);
    expect(bytes.toString()).to.include('Rosie');
  });
});
