import { once } from 'node:events';
import { get as request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { expect } from 'chai';
import type { AnimalRow, PinRow } from '../database/tables.ts';
import { useApi } from '../testing/api.ts';
import { tiny } from '../testing/pictures.ts';

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

  describe('describe themselves', () => {
    it('from the landing page to each item, and back', async () => {
      await pins(pinAt(1, 2));
      const landing = await get('/');
      expect((await follow(linkOf(landing, 'conformance'))).conformsTo).to.deep.equal([
        'http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core',
        'http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson',
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

    it('at /collections for clients that find a site at /', async () => {
      const list = await get('/collections');
      for (const rel of ['conformance', 'service-desc', 'data']) await follow(linkOf(list, rel));
      expect(await get('/collections/collections')).to.deep.equal(list);
    });

    it('with the address at which the client sees them', async () => {
      // `fetch` sets the host itself.
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

    it('and no others', async () => {
      for (const path of ['/collections/seals', '/collections/seals/items', '/collections/animals/grid']) {
        expect((await api.get(path)).status).to.equal(404);
      }
    });
  });

  describe('pins', () => {
    it('are features', async () => {
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

    it('are 404 where there is none of an id, and 400 where there can be none', async () => {
      expect((await api.get('/collections/pins/items/1')).status).to.equal(404);
      for (const id of ['0', '-1', '1.5', 'x', '9007199254740993', '%00']) {
        expect((await api.get(`/collections/pins/items/${id}`)).status, id).to.equal(400);
      }
    });

    it('come in a box, whose edges belong to it, also across the date line', async () => {
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
    });

    it('come in a time, whose ends belong to it', async () => {
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

    it('are ten unless told, and never more than 10,000 at once', async () => {
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

    it('come each exactly once from page to page, whatever is added or deleted meanwhile', async () => {
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

    it('have no next page after the last, not even an empty one', async () => {
      await many(14);
      const first = await get('/collections/pins/items?limit=7');
      const second = await follow(linkOf(first, 'next'));
      expect(idsOf(second)).to.deep.equal([8, 9, 10, 11, 12, 13, 14]);
      expect(linkOf(second, 'next')).to.equal('');
      expect((await get('/collections/pins/items?after=14')).features).to.deep.equal([]);
    });

    it('are a file of CSV without formulas', async () => {
      await pins(
        pinAt(-1.5, 2, { city: '=1+1', state: '@x', country: 'Åland, "Oz"', visited_at: day(1) }),
        pinAt(3, 4, { visited_at: day(2) }),
      );
      // The second comes from memory.
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

    it('are all there as CSV, however many, unless told', async () => {
      await many(12_001);
      const ids = async (query: string): Promise<number[]> => {
        const lines: string[] = (await get(`/collections/pins/items?f=csv${query}`)).trimEnd().split('\r\n');
        return lines.slice(1).map((line) => Number(line.split(',')[0]));
      };
      const all = Array.from({ length: 12_001 }, (_, index) => index + 1);
      expect(await ids('')).to.deep.equal(all);
      expect(await ids('&limit=11000')).to.deep.equal(all.slice(0, 11_000));
      expect(await ids('&limit=1000')).to.deep.equal(all.slice(0, 1_000));
      expect(await ids('&limit=3&after=7')).to.deep.equal([8, 9, 10]);
      expect(await ids('&bbox=3,0,3,90&after=190&limit=2')).to.deep.equal([363, 543]);
      const page = await get('/collections/pins/items?limit=2&after=5');
      expect(await follow(linkOf(page, 'alternate'))).to.match(/^.+\r\n6,.+\r\n7,.+\r\n$/);
    });
  });

  describe('animals', () => {
    it('are features, their pictures at addresses of their own', async () => {
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

    it('come in a box and in a time, which is a year; without one in none', async () => {
      await api.database
        .db('animal')
        .insert([
          animalOf('Rosie', 2013),
          animalOf('Kelp', 2015, { longitude: 5 }),
          animalOf('Marlow', null),
        ]);
      for (const [query, ids] of [
        ['bbox=0,0,10,90', [2]],
        ['datetime=2013-06-01T00:00:00Z', [1]],
        ['datetime=2013-12-31/2014-12-31', [1]],
        ['datetime=2014-01-01/2014-12-31', []],
        ['datetime=2014-01-01/..', [2]],
        ['datetime=../2015-01-01', [1, 2]],
        ['limit=2', [1, 2]],
        ['limit=2&after=2', [3]],
      ] as const) {
        expect(await find(query, 'animals'), query).to.deep.equal(ids);
      }
    });
  });

  describe('refuse with 400 and a sentence', () => {
    for (const query of [
      'bbox=',
      'bbox=1,2,3',
      'bbox=1,2,3,4,5',
      'bbox=1,2,3,4,5,6,7',
      'bbox=1,2,3,x',
      'bbox=1,2,3,NaN',
      'bbox=1,2,3,Infinity',
      'bbox=1,2,,4',
      'bbox=1,2,3,1e1',
      'bbox=-180.1,2,3,4',
      'bbox=1,2,180.1,4',
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
