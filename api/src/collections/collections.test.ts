import { once } from 'node:events';
import { get as request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect } from 'chai';
import type { AnimalRow, PinRow } from '../database/tables.ts';
import { useApi } from '../testing/api.ts';
import { pictureUrl } from '../pictures/store.ts';
import { tiny } from '../testing/pictures.ts';
import { animalItems, pinItems } from './store.ts';

type Link = { rel: string; type: string; href: string };
type Feature = {
  id: number;
  geometry: { coordinates: [number, number] };
  properties: Record<string, unknown>;
};

const day = (number: number) => new Date(`2026-07-${String(number).padStart(2, '0')}T12:00:00.250Z`);

const pinAt = (longitude: number, latitude: number, rest: Partial<PinRow> = {}) => ({
  longitude,
  latitude,
  country: 'Oz',
  state: null,
  city: null,
  ...rest,
});

const animalOf = (name: string, placement_year: number | null, rest: Partial<AnimalRow> = {}) => ({
  name,
  placement_year,
  longitude: -117.5,
  latitude: 33.5,
  location_name: 'Bay',
  ...rest,
});

describe('collections', () => {
  const api = useApi();
  const get = async (path: string) => {
    const answer = await api.get(path);
    expect(answer.status, path).to.equal(200);
    return answer.body;
  };
  const linkOf = ({ links }: { links: Link[] }, rel: string, type?: string): string =>
    links.find((link) => link.rel === rel && (type === undefined || link.type === type))?.href ?? '';
  const follow = (href: string) => {
    expect(href.startsWith(`${api.address}/`), href).to.equal(true);
    return get(href.slice(api.address.length));
  };
  const idsOf = ({ features }: { features: Feature[] }) => features.map(({ id }) => id);
  const find = async (query: string, collection = 'pins') =>
    idsOf(await get(`/collections/${collection}/items?${query}`));
  const message = async (path: string) => {
    const { status, body } = await api.get(path);
    expect(status, path).to.equal(400);
    return body.message;
  };
  const pins = (...rows: ReturnType<typeof pinAt>[]) => api.database.db('pin').insert(rows);
  const many = (count: number) =>
    api.database.db.raw(
      `insert into pin (longitude, latitude, country) select number % 180, 1, 'Oz' from generate_series(1, ?::int) number`,
      [count],
    );

  describe('have descriptions', () => {
    it('linked from the landing page to each item, and back', async () => {
      await pins(pinAt(1, 2));
      const landing = await get('/');
      expect((await follow(linkOf(landing, 'conformance'))).conformsTo).to.deep.equal([
        'http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core',
        'http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson',
        'http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30',
      ]);
      expect((await follow(linkOf(landing, 'service-desc'))).paths).to.include.keys(
        '/collections/pins/items',
      );
      expect(await follow(linkOf(landing, 'self'))).to.deep.equal(landing);

      const { collections } = await follow(linkOf(landing, 'data'));
      expect(collections.map(({ id }: { id: string }) => id)).to.deep.equal(['pins', 'animals']);
      for (const collection of collections) {
        expect(await follow(linkOf(collection, 'self'))).to.deep.equal(collection);
        expect(await follow(linkOf(collection, 'items', 'text/csv'))).to.match(
          /^\uFEFF"id","longitude","latitude",/,
        );
      }
      const [pin] = (await follow(linkOf(collections[0], 'items', 'application/geo+json'))).features;
      const alone = await follow(linkOf(await get(`/collections/pins/items/${pin.id}`), 'self'));
      expect(alone).to.deep.include(pin);
      expect(await follow(linkOf(alone, 'collection'))).to.deep.equal(collections[0]);
      expect((await follow(linkOf(collections[0], 'related'))).features).to.have.length(1);
    });

    it('at /collections if the site has its own page at /', async () => {
      const list = await get('/collections');
      for (const rel of ['conformance', 'service-desc', 'data']) await follow(linkOf(list, rel));
      expect(await get('/collections/collections')).to.deep.equal(list);
    });

    it('with the URL that the client uses', async () => {
      // `fetch` does not allow setting the host.
      const ask = async (path: string, headers: Record<string, string>) => {
        const [response] = (await once(request(api.address + path, { headers }), 'response')) as [
          IncomingMessage,
        ];
        return { status: response.statusCode, body: (await json(response)) as { links: Link[] } };
      };
      for (const path of ['/', '/collections', '/collections/pins', '/collections/animals/items']) {
        const { body } = await ask(path, { host: 'map.example.org', 'x-forwarded-proto': 'https' });
        for (const { href } of body.links) expect(href).to.match(/^https:\/\/map\.example\.org\//);
        expect(linkOf(await get(path), 'self')).to.equal(api.address + path);
      }
      for (const headers of [{ host: 'a b' }, { host: 'a/b' }, { host: 'a', 'x-forwarded-proto': 'ftp' }]) {
        expect((await ask('/collections', headers)).status).to.equal(400);
      }
    });

    it('and no other collections', async () => {
      for (const path of ['/collections/seals', '/collections/seals/items', '/collections/animals/grid']) {
        expect((await api.get(path)).status).to.equal(404);
      }
    });
  });

  describe('pins', () => {
    it('are GeoJSON features', async () => {
      await pins(pinAt(-118.2437, 34.0522, { city: 'Los Angeles', state: 'California', visited_at: day(1) }));
      const { headers, body } = await api.get('/collections/pins/items');
      expect(headers.get('content-type')).to.equal('application/geo+json');
      const { links: _, timeStamp, ...page } = body;
      expect(Math.abs(Date.parse(timeStamp) - Date.now())).to.be.lessThan(60_000);
      expect(page).to.deep.equal({
        type: 'FeatureCollection',
        numberMatched: 1,
        numberReturned: 1,
        features: [
          {
            type: 'Feature',
            id: 1,
            geometry: { type: 'Point', coordinates: [-118.2437, 34.0522] },
            properties: {
              city: 'Los Angeles',
              state: 'California',
              country: 'Oz',
              visit_date: day(1).toISOString(),
            },
          },
        ],
      });
    });

    it('are written as compact JSON, whatever their names contain', async () => {
      const city = 'Ü "q" \\ 日本 🐋 </script>\t\n\u0001\u2028';
      await pins(
        pinAt(-117.1015539799597, 0.00001, {
          city,
          state: 'X',
          visited_at: new Date('1969-07-20T20:17:40.120Z'),
        }),
        pinAt(180, -90, { country: "Côte d'Ivoire" }),
      );
      await api.database.db.raw("update pin set visited_at = '2026-01-02 03:04:05.0009+01' where id = 2");
      const expected = [
        {
          type: 'Feature',
          id: 1,
          geometry: { type: 'Point', coordinates: [-117.1015539799597, 1] },
          properties: { city, state: 'X', country: 'Oz', visit_date: '1969-07-20T20:17:40.120Z' },
        },
        {
          type: 'Feature',
          id: 2,
          geometry: { type: 'Point', coordinates: [180, -90] },
          properties: {
            city: null,
            state: null,
            country: "Côte d'Ivoire",
            visit_date: '2026-01-02T02:04:05.000Z',
          },
        },
      ];
      expect((await get('/collections/pins/items')).features[0].geometry.coordinates[1]).to.equal(0.00001);
      await api.database.db('pin').where({ id: 1 }).update({ latitude: 1 });
      const textOf = async (path: string) =>
        (await fetch(`${api.address}/collections/pins/items${path}`)).text();
      expect(await textOf('')).to.match(/^\{"type":"FeatureCollection","links":\[/);
      expect((await textOf('')).replace(/^.*?,"features":/s, '')).to.equal(`${JSON.stringify(expected)}}`);
      const one = JSON.stringify(expected[0]).slice(0, -1);
      expect(await textOf('/1'))
        .to.match(/"\}\]\}$/)
        .and.satisfy((text: string) => text.startsWith(`${one},"links":[`));
    });

    it('are selected by prepared statements, except those whose best plan depends on the values', async () => {
      const names: (string | undefined)[] = [];
      const note = ({ sql, options }: { sql: string; options?: { name?: string } }) => {
        if (sql.includes('as feature')) names.push(options?.name);
      };
      api.database.db.on('query', note);
      try {
        for (const query of ['?limit=1', '?limit=2', '?country=Oz', '?bbox=1,2,3,4', '/1?f=json'])
          await api.get(`/collections/pins/items${query}`);
        expect(names).to.have.length(5).and.not.include(undefined);
        expect(new Set(names).size, 'statements').to.equal(4);
        names.length = 0;
        const ranges = ['?bbox=1,2,30,40', '?bbox=1,2,3,4&country=Oz', '?datetime=2026-01-01/..'];
        for (const query of ranges) await api.get(`/collections/pins/items${query}`);
        expect(names).to.deep.equal([undefined, undefined, undefined]);
      } finally {
        api.database.db.off('query', note);
      }
    });

    it('are counted exactly after each write, also for requests at the same time', async () => {
      const matched = async () => (await get(`/collections/pins/items?limit=${++limit}`)).numberMatched;
      let limit = 0;
      for (let count = 1; count <= 3; count++) {
        await pins(pinAt(count, count));
        expect(await Promise.all([matched(), matched(), matched()])).to.deep.equal([count, count, count]);
        expect(await matched()).to.equal(count);
      }
      await api.database.db('pin').where({ id: 2 }).delete();
      expect(await matched()).to.equal(2);
    });

    it('are read with one statement for all ids that wait', async () => {
      await many(20);
      await api.database.db('picture').insert({ sha256: 'x', media_type: 'image/png', bytes: tiny.png });
      const picture_id = (await api.database.db('picture').first('id'))!.id;
      await api.database
        .db('animal')
        .insert([animalOf('A', 1, { picture_id }), animalOf('B', 2, { picture_id })]);
      let reads = 0;
      const note = ({ sql }: { sql: string }) => {
        if (sql.includes('unnest')) reads++;
      };
      api.database.db.on('query', note);
      try {
        const { feature } = pinItems(api.database.db);
        const ids = [...Array.from({ length: 20 }, (_, index) => index + 1), 3, 999];
        const texts = await Promise.all(ids.map((id) => feature(id, '')));
        expect(texts.pop()).to.equal(undefined);
        expect(texts.map((text) => JSON.parse(text!).id)).to.deep.equal(ids.slice(0, -1));
        expect(reads).to.equal(2);
        const { feature: animal } = animalItems(api.database.db);
        const animals = await Promise.all([1, 2, 1, 2].map((id, index) => animal(id, `http://${index}`)));
        expect(animals.map((text) => JSON.parse(text!).properties)).to.containSubset(
          ['A', 'B', 'A', 'B'].map((animal_name, index) => ({
            animal_name,
            picture_url: `http://${index}${pictureUrl('x')}`,
          })),
        );
      } finally {
        api.database.db.off('query', note);
      }
    });

    it('contain texts with any character', async () => {
      const city = '\u001e"},\\ {"type":"Feature"\t\u2028 Ü 🐋';
      await pins(pinAt(1, 1, { city }), pinAt(2, 2, { city, state: city }), pinAt(3, 3, { city }));
      const page = await get('/collections/pins/items?limit=2');
      const texts = page.features.map(({ properties }: Feature) => [properties['city'], properties['state']]);
      expect(texts).to.deep.equal([
        [city, null],
        [city, city],
      ]);
      expect(page.numberReturned).to.equal(2);
      expect((await get('/collections/pins/items/3')).properties.city).to.equal(city);
    });

    it('return 404 for an unknown id, and 400 for an invalid one', async () => {
      expect((await api.get('/collections/pins/items/1')).status).to.equal(404);
      for (const id of ['0', '-1', '1.5', 'x', '9007199254740993', '%00']) {
        expect((await api.get(`/collections/pins/items/${id}`)).status, id).to.equal(400);
      }
    });

    it('are filtered by a box including its edges, also across the date line', async () => {
      await pins(
        pinAt(10, 20),
        pinAt(10.5, 20.5),
        pinAt(11, 21),
        pinAt(179, 0),
        pinAt(-179, 0),
        pinAt(180, 1),
        pinAt(-180, -1),
      );
      expect(await find('bbox=10,20,11,21')).to.deep.equal([1, 2, 3]);
      expect(await find('bbox=10.1,20,11,20.9')).to.deep.equal([2]);
      expect(await find('bbox=10,20,-500,11,21,9000')).to.deep.equal([1, 2, 3]);
      expect(await find('bbox=178,-5,-178,5')).to.deep.equal([4, 5, 6, 7]);
      expect(await find('bbox=179.5,-5,-179.5,0.5')).to.deep.equal([7]);
      expect(await find('bbox=-178,-5,178,5')).to.deep.equal([]);
      expect(await find('bbox=-180,-90,180,90')).to.have.length(7);
      expect(await find('bbox=180,-90,-180,90')).to.deep.equal([6, 7]);
      expect(await find('bbox=10,20,10,20')).to.deep.equal([1]);
      expect(await find('bbox=178,-5,182,5')).to.deep.equal([4, 5, 6, 7]);
      expect(await find('bbox=-182,-5,-178,5')).to.deep.equal([4, 5, 6, 7]);
      expect(await find('bbox=370,20,371,21')).to.deep.equal([1, 2, 3]);
      expect(await find('bbox=-350,20,-349,21')).to.deep.equal([1, 2, 3]);
      expect(await find('bbox=350,20,11,21')).to.deep.equal([1, 2, 3]);
      expect(await find('bbox=-181,-90,181,90')).to.have.length(7);
      expect(await find('bbox=1e1,2.0e1,11,21')).to.deep.equal([1, 2, 3]);
    });

    it('are filtered by an interval including its ends', async () => {
      await pins(...[1, 2, 3].map((number) => pinAt(1, 1, { visited_at: day(number) })));
      const first = day(1).toISOString();
      for (const [datetime, ids] of [
        [first, [1]],
        ['2026-07-01T12:00:00Z', []],
        ['2026-07-01T14:00:00.250%2B02:00', [1]],
        ['2026-07-01t12:00:00.25z', [1]],
        ['2026-07-02', [2]],
        [`${first}/2026-07-02T12:00:00Z`, [1]],
        [`${first}/${day(2).toISOString()}`, [1, 2]],
        ['2026-07-01/2026-07-02', [1, 2]],
        ['2026-07-02/..', [2, 3]],
        ['2026-07-02/', [2, 3]],
        ['../2026-07-02', [1, 2]],
        ['/2026-07-02', [1, 2]],
        ['0000-01-01/9999-12-31', [1, 2, 3]],
        ['2025-07-01/2025-07-31', []],
      ] as const) {
        expect(await find(`datetime=${datetime}`), datetime).to.deep.equal(ids);
      }
      expect(await find('datetime=2026-07-02/..&bbox=0,0,1,1&limit=1')).to.deep.equal([2]);
    });

    it('are excluded from the day that ends at the midnight of their visit', async () => {
      const at = (time: string) => pinAt(1, 1, { visited_at: new Date(time) });
      await pins(at('2026-07-02T00:00:00Z'), at('2026-07-02T23:59:59.999Z'), at('2026-07-03T00:00:00Z'));
      expect(await find('datetime=2026-07-02')).to.deep.equal([1, 2]);
      expect(await find('datetime=../2026-07-02')).to.deep.equal([1, 2]);
      expect(await find('datetime=2026-07-03/..')).to.deep.equal([3]);
    });

    it('are filtered by the queryables that the collection declares', async () => {
      await pins(
        pinAt(1, 1, { country: 'France', state: 'Île-de-France', city: 'Paris' }),
        pinAt(2, 1, { country: 'United States of America', state: 'Texas', city: 'Paris' }),
        pinAt(3, 1, { country: 'France' }),
      );
      for (const [query, ids] of [
        ['country=France', [1, 3]],
        ['city=Paris', [1, 2]],
        ['city=Paris&country=France', [1]],
        ['state=%C3%8Ele-de-France&bbox=0,0,5,5&datetime=../2100-01-01', [1]],
        ['country=france', []],
        ["country=' or true --", []],
      ] as const) {
        expect(await find(query), query).to.deep.equal(ids);
      }
      const page = await get('/collections/pins/items?country=France&limit=1');
      expect(page).not.to.have.property('numberMatched');
      expect(idsOf(await follow(linkOf(page, 'next')))).to.deep.equal([3]);
      const href = linkOf(
        await get('/collections/pins'),
        'http://www.opengis.net/def/rel/ogc/1.0/queryables',
      );
      const { headers, body } = await api.get(href.slice(api.address.length));
      expect(headers.get('content-type')).to.equal('application/schema+json');
      expect(body).to.deep.include({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $id: href,
        type: 'object',
        additionalProperties: false,
      });
      expect(Object.keys(body.properties)).to.deep.equal(['country', 'state', 'city']);
      expect(body.properties.country).to.include({ type: 'string', maxLength: 200 });
    });

    it('are sorted, each exactly once across pages, even with equal times', async () => {
      const times = [3, 1, 2, 1, 3, 2, 1].map((number) => pinAt(number, 1, { visited_at: day(number) }));
      await pins(...times);
      // Responses show milliseconds; PostgreSQL sorts by microseconds.
      await api.database.db.raw(
        "update pin set visited_at = visited_at + interval '1 microsecond' where id = 2",
      );
      const orders = {
        visit_date: [4, 7, 2, 3, 6, 1, 5],
        '%2Bvisit_date': [4, 7, 2, 3, 6, 1, 5],
        '+visit_date': [4, 7, 2, 3, 6, 1, 5],
        '-visit_date': [5, 1, 6, 3, 2, 7, 4],
      };
      // With a limit of three, a page ends at the pin whose time has microseconds.
      for (const [sortby, ids, limit] of Object.entries(orders).flatMap(([sortby, ids]) =>
        [2, 3].map((limit) => [sortby, ids, limit] as const),
      )) {
        const seen: number[] = [];
        let href = `${api.address}/collections/pins/items?limit=${limit}&sortby=${sortby}`;
        for (let turn = 0; href !== ''; turn++) {
          const page = await follow(href);
          seen.push(...idsOf(page));
          href = linkOf(page, 'next');
          // A new first pin and a deleted last one do not affect the following pages.
          if (turn === 0) {
            await pins(
              pinAt(9, 9, { visited_at: new Date(sortby.startsWith('-') ? '2200-01-01' : '1900-01-01') }),
            );
            await api.database.db('pin').where('id', seen.at(-1)!).delete();
          }
        }
        expect(seen, sortby).to.deep.equal(ids);
        await api.database.db.raw('truncate pin restart identity cascade');
        await pins(...times);
        await api.database.db.raw(
          "update pin set visited_at = visited_at + interval '1 microsecond' where id = 2",
        );
      }
      const csv: string = await get('/collections/pins/items?f=csv&sortby=-visit_date');
      expect(
        csv
          .trimEnd()
          .split('\r\n')
          .slice(1)
          .map((line) => Number(line.split(',')[0])),
      ).to.deep.equal([5, 1, 6, 3, 2, 7, 4]);
      expect(await message('/collections/pins/items?sortby=visit_date&after=1')).to.match(/^after /);
    });

    it('have an extent unless there are none', async () => {
      expect(await get('/collections/pins')).not.to.have.property('extent');
      await pins(pinAt(-10, 5, { visited_at: day(1) }), pinAt(20, -30, { visited_at: day(3) }));
      expect((await get('/collections')).collections[0].extent).to.deep.equal({
        spatial: { bbox: [[-10, -30, 20, 5]] },
        temporal: { interval: [[day(1).toISOString(), day(3).toISOString()]] },
      });
    });

    it('default to ten, and never exceed 10,000 per page', async () => {
      await many(10_001);
      const usual = await get('/collections/pins/items');
      expect(usual).to.deep.include({ numberReturned: 10, numberMatched: 10_001 });
      expect(await find('limit=3')).to.deep.equal([1, 2, 3]);
      for (const limit of ['10000', '10001', '9007199254740991']) {
        const page = await get(`/collections/pins/items?limit=${limit}`);
        expect(page.numberReturned).to.equal(10_000);
        expect(idsOf(await follow(linkOf(page, 'next')))).to.deep.equal([10_001]);
      }
      expect(await get('/collections/pins/items?bbox=0,0,180,90')).not.to.have.property('numberMatched');
    });

    it('in a small box with edges on whole degrees, across the date line and around the world', async () => {
      await api.database.db.raw(
        `insert into pin (longitude, latitude, country)
         select longitude, latitude, 'Oz' from unnest(array[-180, -179.5, -1, -0.5, 0, 0.5, 1, 179.5, 180]) as longitude,
           unnest(array[0, 0.03]) as latitude`,
      );
      const found = async (box: string) => {
        const { features } = await get(`/collections/pins/items?bbox=${box}`);
        return features.map(({ geometry }: Feature) => geometry.coordinates[0]);
      };
      expect(await found('-1,0,1,0.02')).to.have.members([-1, -0.5, 0, 0.5, 1]);
      expect(await found('-0.9,0,0.9,0.02')).to.have.members([-0.5, 0, 0.5]);
      expect(await found('179,0,-179,0.02')).to.have.members([179.5, 180, -180, -179.5]);
      expect(await found('179.6,0,180,0.02')).to.have.members([180]);
      expect(await found('0.6,0,0.4,0.02')).to.have.length(8);
      expect(await found('-180,0,180,0.02')).to.have.length(9);
    });

    it('in the order of their ids in a small box with few pins, and in one with many', async () => {
      await api.database.db.raw(
        `insert into pin (longitude, latitude, country)
         select case when number < 10 then 20 else 10 end + number / 100000.0, 1, 'Oz' from generate_series(10200, 1, -1) number`,
      );
      for (const [bbox, last] of [
        ['19,0,21,2', 10_200],
        ['9,0,11,2', 10_191],
      ]) {
        const all: number[] = [];
        let page = await get(`/collections/pins/items?limit=4000&bbox=${bbox}`);
        for (; ; page = await follow(linkOf(page, 'next'))) {
          all.push(...idsOf(page));
          expect(page.numberReturned).to.equal(page.features.length);
          if (linkOf(page, 'next') === '') break;
        }
        expect(all).to.deep.equal(all.toSorted((a, b) => a - b));
        expect(new Set(all).size).to.equal(bbox === '9,0,11,2' ? 10_191 : 9);
        expect(all.at(-1)).to.equal(last);
      }
    });

    it('appear exactly once across pages, regardless of concurrent inserts and deletions', async () => {
      await many(60);
      const seen: number[] = [];
      let page = await get('/collections/pins/items?limit=7&bbox=0,0,180,90&datetime=../2100-01-01');
      for (let turn = 0; ; turn++) {
        expect(page.numberReturned).to.equal(page.features.length);
        seen.push(...idsOf(page));
        const next = linkOf(page, 'next');
        if (next === '') break;
        expect(page.features).to.have.length(7);
        if (turn < 5) await pins(pinAt(1, 1), pinAt(-1, 1));
        await api.database.db('pin').where('id', seen.at(-2)!).delete();
        page = await follow(next);
      }
      expect(seen.filter((id) => id <= 60)).to.deep.equal(
        Array.from({ length: 60 }, (_, index) => index + 1),
      );
      expect(new Set(seen).size).to.equal(seen.length);
      expect(seen).to.have.length(65);
    });

    it('have no empty page after the last one', async () => {
      await many(14);
      const first = await get('/collections/pins/items?limit=7');
      const second = await follow(linkOf(first, 'next'));
      expect(idsOf(second)).to.deep.equal([8, 9, 10, 11, 12, 13, 14]);
      expect(linkOf(second, 'next')).to.equal('');
      expect((await get('/collections/pins/items?after=14')).features).to.deep.equal([]);
    });

    it('are available as CSV without formulas', async () => {
      await pins(
        pinAt(-1.5, 2, { city: '=1+1', state: '@x', country: 'Åland, "Oz"', visited_at: day(1) }),
        pinAt(3, 4, { visited_at: day(2) }),
      );
      // The second response comes from the cache.
      for (let turn = 0; turn < 2; turn++) {
        const { headers, body } = await api.get('/collections/pins/items?f=csv');
        expect(headers.get('content-type')).to.equal('text/csv; charset=utf-8');
        expect(headers.get('content-disposition')).to.equal('attachment; filename="pins.csv"');
        expect(body).to.equal(
          [
            '\uFEFF"id","longitude","latitude","city","state","country","visit_date"',
            `1,-1.5,2,"'=1+1","'@x","Åland, ""Oz""","${day(1).toISOString()}"`,
            `2,3,4,,,"Oz","${day(2).toISOString()}"`,
            '',
          ].join('\r\n'),
        );
      }
    });

    it('are complete in CSV unless there is a limit', async () => {
      await many(12_001);
      const ids = async (query: string): Promise<number[]> => {
        const lines: string[] = (await get(`/collections/pins/items?f=csv${query}`)).trimEnd().split('\r\n');
        return lines.slice(1).map((line) => Number(line.split(',')[0]));
      };
      const all = Array.from({ length: 12_001 }, (_, index) => index + 1);
      expect(await ids('')).to.deep.equal(all);
      expect(await ids('&limit=11000')).to.deep.equal(all.slice(0, 10_000));
      expect(await ids('&limit=1000')).to.deep.equal(all.slice(0, 1_000));
      expect(await ids('&limit=3&after=7')).to.deep.equal([8, 9, 10]);
      expect(await ids('&bbox=3,0,3,90&after=190&limit=2')).to.deep.equal([363, 543]);
      const page = await get('/collections/pins/items?limit=2&after=5');
      expect(await follow(linkOf(page, 'alternate'))).to.match(/^.+\r\n6,.+\r\n7,.+\r\n$/);
    });
  });

  describe('formats', () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const typeOf = async (path: string, accept: string) => {
      const { headers } = await api.call('GET', path, { headers: { accept } });
      expect(headers.get('vary'), path).to.match(/\bAccept\b(?!-)/);
      return headers.get('content-type')?.split(';')[0];
    };

    it('are selected by Accept, over which f takes precedence', async () => {
      const items = '/collections/pins/items';
      for (const [path, accept, type] of [
        [items, '*/*', 'application/geo+json'],
        [items, 'text/csv', 'text/csv'],
        [items, 'text/csv;q=0.5, application/geo+json;q=0.4', 'text/csv'],
        [items, 'text/csv;q=0.5, */*;q=0.6', 'application/geo+json'],
        [items, 'text/csv;q=0, text/*', 'text/html'],
        [items, 'application/json', 'application/geo+json'],
        [items, 'image/png', 'application/geo+json'],
        [items, browser, 'text/html'],
        [`${items}?f=csv`, 'application/json', 'text/csv'],
        [`${items}?f=json`, browser, 'application/geo+json'],
        ['/', browser, 'text/html'],
        ['/', 'application/json, text/html;q=0.9', 'application/json'],
        ['/?f=json', browser, 'application/json'],
        ['/collections', browser, 'text/html'],
        ['/collections?f=json', browser, 'application/json'],
      ] as const) {
        expect(await typeOf(path, accept), `${path} ${accept}`).to.equal(type);
      }
    });

    it('include HTML pages with links to the data and the documentation', async () => {
      await pins(pinAt(1, 1, { country: 'France' }));
      for (const path of ['/', '/collections', '/collections/pins/items?country=France&bbox=0,0,5,5']) {
        const { headers, body } = await api.call('GET', path, { headers: { accept: browser } });
        expect(headers.get('link')).to.equal('</docs>; rel="service-doc"; type="text/html"');
        expect(body).to.include('<link rel="service-doc" href="/docs">');
        for (const [, href = ''] of String(body).matchAll(/ href="(\/[^"]*)"/g)) {
          const address = href.replaceAll('&#38;', '&');
          // Sign-in is not configured here.
          if (address !== '/sign-in') expect((await api.get(address)).status, address).to.equal(200);
        }
      }
      const { body } = await api.call('GET', '/collections/pins/items?country=France', {
        headers: { accept: browser },
      });
      expect(body).to.include('/collections/pins/items?country=France&#38;f=csv');
    });

    it('link to the documentation and both API definitions in JSON', async () => {
      for (const path of ['/', '/collections']) {
        const body = await get(path);
        expect(linkOf(body, 'service-doc', 'text/html')).to.equal(`${api.address}/docs`);
        for (const version of ['3.0', '3.1']) {
          const type = `application/vnd.oai.openapi+json;version=${version}`;
          const href = linkOf(body, 'service-desc', type);
          const answer = await api.get(href.slice(api.address.length));
          expect(answer.headers.get('content-type')).to.equal(type);
          expect(answer.body.openapi).to.match(new RegExp(`^${version.replace('.', '[.]')}[.]`));
        }
      }
    });

    it('of CSV link to the next page', async () => {
      await many(25);
      const seen: string[] = [];
      let path = '/collections/pins/items?limit=10&country=Oz&sortby=-visit_date';
      while (path !== '') {
        const { headers, body } = await api.call('GET', path, { headers: { accept: 'text/csv' } });
        seen.push(
          ...String(body)
            .trimEnd()
            .split('\r\n')
            .slice(1)
            .map((line) => line.split(',')[0]!),
        );
        const [, href = ''] = /^<(.+)>; rel="next"; type="text\/csv"$/.exec(headers.get('link') ?? '') ?? [];
        path = href.slice(api.address.length);
      }
      expect(seen.map(Number)).to.deep.equal(Array.from({ length: 25 }, (_, index) => 25 - index));
      expect((await api.get('/collections/pins/items?f=csv')).headers.get('link')).to.equal(null);
    });
  });

  describe('every resource', () => {
    it('rejects unknown parameters, unlike the calls of the contract', async () => {
      await pins(pinAt(1, 1));
      for (const path of [
        '/',
        '/conformance',
        '/openapi.json',
        '/openapi-3.0.json',
        '/collections',
        '/collections/collections',
        '/collections/pins',
        '/collections/animals',
        '/collections/pins/queryables',
        '/collections/pins/items',
        '/collections/pins/items/1',
        '/collections/animals/items',
      ]) {
        expect((await api.get(path)).status, path).to.equal(200);
        expect(await message(`${path}?unknown=1`), path).to.equal('unknown is not allowed.');
      }
      for (const path of ['/api/locations', '/api/questions', '/api/animal_locations', '/admin/count']) {
        expect((await api.get(`${path}?_=1690000000000`)).status, path).to.equal(200);
      }
    });

    it('is the same regardless of how its path is percent-encoded', async () => {
      await pins(pinAt(1, 1, { city: 'Åre' }));
      for (const [plain, encoded] of [
        ['/collections/pins/items', '/%63ollections/pin%73/item%73?limit=%31'],
        ['/collections/pins/items/1', '/collections/pins/items/%31'],
        ['/api/locations/city/%C3%85re', '/api/%6cocations/cit%79/%c3%85r%65'],
        ['/docs/start.js', '/docs/start%2ejs'],
      ] as const) {
        const { timeStamp: _, links: __, ...one } = Object((await api.get(plain)).body);
        const { timeStamp: ___, links: ____, ...other } = Object((await api.get(encoded)).body);
        expect(other, encoded).to.deep.equal(one);
      }
      expect((await api.get('/collections%2Fpins')).status).to.equal(404);
    });

    it('lists its methods', async () => {
      for (const [path, allow] of [
        ['/', 'GET, HEAD, OPTIONS'],
        ['/collections/pins/items', 'GET, HEAD, OPTIONS'],
        ['/openapi-3.0.json', 'GET, HEAD, OPTIONS'],
        ['/api/locations', 'GET, HEAD, POST, OPTIONS'],
        ['/api/locations/1', 'PATCH, DELETE, OPTIONS'],
        ['/api/geocoder', 'POST, OPTIONS'],
        ['/sign-in', 'GET, HEAD, POST, OPTIONS'],
        ['/healthz', 'GET, HEAD, OPTIONS'],
      ] as const) {
        const options = await api.call('OPTIONS', path);
        expect(options.status, path).to.equal(204);
        expect(options.headers.get('allow'), path).to.equal(allow);
        const other = await api.call('PUT', path, { body: {} });
        expect(other.status, path).to.equal(405);
        expect(other.headers.get('allow'), path).to.equal(allow);
      }
      expect((await api.call('OPTIONS', '/nothing')).status).to.equal(404);
    });
  });

  describe('animals', () => {
    it('are filtered by type and by year, and sorted by year with missing years last', async () => {
      await api.database
        .db('animal')
        .insert([
          animalOf('Rosie', 2015, { type: 'Sea Lion' }),
          animalOf('Kelp', null, { type: 'Seal' }),
          animalOf('Marlow', 2013, { type: 'Seal' }),
        ]);
      for (const [query, ids] of [
        ['animal_type=Seal', [2, 3]],
        ['placement_year=2015', [1]],
        ['placement_year=2013&animal_type=Seal', [3]],
        ['sortby=placement_year', [3, 1, 2]],
        ['sortby=-placement_year', [1, 3, 2]],
      ] as const) {
        expect(await find(query, 'animals'), query).to.deep.equal(ids);
      }
      const page = await get('/collections/animals/items?sortby=-placement_year&limit=2');
      expect(idsOf(await follow(linkOf(page, 'next')))).to.deep.equal([2]);
      expect((await get('/collections/animals')).extent.temporal.interval).to.deep.equal([
        ['2013-01-01T00:00:00.000Z', '2015-12-31T23:59:59.999Z'],
      ]);
      expect(Object.keys((await get('/collections/animals/queryables')).properties)).to.deep.equal([
        'animal_type',
        'placement_year',
      ]);
    });

    it('are GeoJSON features, with separate URLs for pictures', async () => {
      const picture = tiny.png.toString('base64');
      const body = {
        animal_name: 'Rosie',
        location_name: 'Bay',
        placement_year: 2013,
        animal_images: picture,
      };
      await api.staff.post('/api/animal_locations', { ...body, lat: 33.5, long: -117.5 });
      await api.database.db('animal').insert(animalOf('Kelp', null, { type: 'Seal', notes: '-well' }));
      const page = await get('/collections/animals/items');
      expect(page).to.deep.include({ numberMatched: 2, numberReturned: 2 });
      const [rosie, kelp] = page.features;
      const { picture_url } = rosie.properties;
      expect(picture_url).to.match(new RegExp(`^${api.address}/api/`));
      expect((await fetch(picture_url)).headers.get('content-type')).to.equal('image/jpeg');
      expect(rosie.geometry.coordinates).to.deep.equal([-117.5, 33.5]);
      expect(kelp.properties).to.deep.equal({
        animal_name: 'Kelp',
        location_name: 'Bay',
        placement_year: null,
        animal_type: 'Seal',
        animal_notes: '-well',
        picture_url: null,
      });
      expect(await get('/collections/animals/items?f=csv&after=1')).to.equal(
        '\uFEFF"id","longitude","latitude","animal_name","location_name","placement_year","animal_type","animal_notes","picture_url"\r\n' +
          `2,-117.5,33.5,"Kelp","Bay",,"Seal","'-well",\r\n`,
      );
    });

    it('are filtered by a box and by an interval of years; those without a year match every interval', async () => {
      await api.database
        .db('animal')
        .insert([
          animalOf('Rosie', 2013),
          animalOf('Kelp', 2015, { longitude: 5 }),
          animalOf('Marlow', null),
        ]);
      for (const [query, ids] of [
        ['bbox=0,0,10,90', [2]],
        ['datetime=2013-06-01T00:00:00Z', [1, 3]],
        ['datetime=2013-12-31/2014-12-31', [1, 3]],
        ['datetime=2014-01-01/2014-12-31', [3]],
        ['datetime=2014-01-01/..', [2, 3]],
        ['datetime=../2015-01-01', [1, 2, 3]],
        ['limit=2', [1, 2]],
        ['limit=2&after=2', [3]],
      ] as const) {
        expect(await find(query, 'animals'), query).to.deep.equal(ids);
      }
    });
  });

  describe('reject with 400 and a sentence', () => {
    for (const query of [
      'bbox=',
      'bbox=1,2,3',
      'bbox=1,2,3,4,5',
      'bbox=1,2,3,4,5,6,7',
      'bbox=1,2,3,x',
      'bbox=1,2,3,NaN',
      'bbox=1,2,3,Infinity',
      'bbox=1,2,,4',
      'bbox=1,2,3,1e999',
      'bbox=1,2,3, 4',
      'bbox=0x1,2,3,4',
      'bbox=1,-90.1,3,4',
      'bbox=1,2,3,90.1',
      'bbox=1,4,3,2',
      'bbox=1,4,0,3,2,0',
      'bbox=1,2,3,4%00',
      'bbox=1,2,3,4&bbox=1,2,3,4',
      `bbox=1,2,3,4.${'0'.repeat(200)}`,
      'datetime=',
      'datetime=yesterday',
      'datetime=2026',
      'datetime=2026-07-01T12:00:00',
      'datetime=2026-07-01T24:00:00Z',
      'datetime=2026-07-01T12:00:00%2B24:00',
      'datetime=2026-02-30',
      'datetime=2026-02-29T00:00:00Z/..',
      'datetime=2026-13-01',
      'datetime=/',
      'datetime=../..',
      'datetime=2026-07-01/2026-07-02/2026-07-03',
      'datetime=2026-07-02/2026-07-01',
      'datetime=2026-07-01T12:00:00.001Z/2026-07-01T12:00:00Z',
      'datetime=2026-07-01%00',
      'limit=0',
      'limit=-1',
      'limit=1.5',
      'limit=many',
      'limit=',
      'limit=9007199254740993',
      'limit=1e400',
      'after=-1',
      'after=x',
      'f=xml',
      'f=',
      'f=CSV',
      'sortby=',
      'sortby=id',
      'sortby=visit_date,placement_year',
      'sortby=-placement_year%00&sortby=-visit_date',
      'after=1,',
      'after=,1',
      'after=1,2,3',
      'after=1,2',
      'country=&animal_type=',
      'offset=10',
      'properties=city',
    ]) {
      it(query, async () => {
        for (const collection of ['pins', 'animals']) {
          expect(await message(`/collections/${collection}/items?${query}`)).to.match(/^\w+ .+\.$/);
        }
      });
    }
  });
});
