import { expect } from 'chai';
import sharp from 'sharp';
import { makePicture } from '../pictures/make.ts';
import { shippedPicture } from '../pictures/shipped.ts';
import { useApi } from '../testing/api.ts';
import { insert, jpegSegment, listed, photo, tiny } from '../testing/pictures.ts';
import { useService } from '../testing/service.ts';
import { lookUpAt } from './look-up.ts';

const file = shippedPicture('skyline.png');
const skyline = file.toString('base64');

describe('GET /api/images/city', () => {
  describe('without an image service', () => {
    const api = useApi();

    it('returns the generic picture', async () => {
      const { status, body, headers } = await api.get('/api/images/city?city=Laguna%20Beach');
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ image: skyline });
      expect(headers.get('cache-control')).to.equal('public, max-age=600');
      expect(await sharp(file).metadata()).to.include({ format: 'png', width: 480 });
      expect(file.length).to.be.lessThan(10_000);
    });

    for (const query of ['', 'city=', 'city=%20', 'city=%00', `city=${'x'.repeat(201)}`, 'city=a&city=b']) {
      it(`rejects "${query.slice(0, 20)}"`, async () => {
        expect((await api.get(`/api/images/city?${query}`)).status).to.equal(400);
      });
    }
  });

  describe('with an image service', () => {
    const service = useService();
    let place = '/of/{city}.jpg?size=1';
    let trouble: string | null = null;
    const api = useApi(({ log, pictures, disk }) => ({
      lookUpCity: (city) => lookUpAt(service.url + place, pictures, log)(city),
      disk: { ...disk, trouble: async () => trouble },
    }));
    const ask = async (city: string) =>
      (await api.get(`/api/images/city?city=${encodeURIComponent(city)}`)).body.image;
    /** Puts a pin in each city, because only cities with pins are looked up. */
    const visit = (...cities: string[]) =>
      api.database
        .db('pin')
        .insert(
          cities.map((city) => ({ latitude: 1, longitude: 1, country: 'Somewhere', state: null, city })),
        );
    const answer = (bytes: Buffer, status = 200) => {
      service.answer = (_request, response) => response.writeHead(status).end(bytes);
    };
    beforeEach(() => {
      place = '/of/{city}.jpg?size=1';
      trouble = null;
    });

    it('looks up a picture once, and stores it without metadata', async () => {
      await visit('Laguna Beach');
      answer(insert(tiny.jpeg, 2, jpegSegment(0xfe, 'a comment')));
      for (const city of ['Laguna Beach', ' laguna beach', 'LAGUNA BEACH']) {
        expect(await ask(city)).to.equal(await listed(tiny.jpeg));
      }
      expect(service.asked).to.deep.equal(['/of/laguna%20beach.jpg?size=1']);
      const { headers } = await api.get('/api/images/city?city=Laguna+Beach');
      expect(headers.get('cache-control')).to.equal('public, max-age=86400');
    });

    it('accepts a URL without {city}', async () => {
      place = '/search?of=cities';
      await visit('Zürich & more');
      answer(tiny.png);
      expect(await ask('Zürich & more')).to.equal(await listed(tiny.png));
      expect(service.asked).to.deep.equal(['/search?of=cities&city=z%C3%BCrich+%26+more']);
    });

    it('does not retry for a while if there is none, then does', async () => {
      await visit('Nowhere');
      answer(Buffer.from('no'), 404);
      expect(await ask('Nowhere')).to.equal(skyline);
      answer(tiny.png);
      expect(await ask('Nowhere')).to.equal(skyline);
      expect(service.asked).to.have.length(1);
      await api.database.db('city_picture').update({ looked_up_at: new Date(Date.now() - 3_700_000) });
      expect(await ask('Nowhere')).to.equal(await listed(tiny.png));
      expect(service.asked).to.have.length(2);
    });

    it('looks up once for concurrent requests', async () => {
      await visit('Rome');
      service.answer = (_request, response) => setTimeout(() => response.end(tiny.gif), 50);
      const images = await Promise.all(Array.from({ length: 10 }, () => ask('Rome')));
      expect(images).to.include(await listed(tiny.gif));
      expect(service.asked).to.have.length(1);
    });

    it('returns the generic picture for a file that is not a picture or too large', async () => {
      await visit('Rome', 'Oslo', 'Lima');
      api.log.entries.length = 0;
      for (const [city, bytes] of Object.entries({
        Rome: Buffer.from('<html>'),
        Oslo: Buffer.alloc(26_300_000),
        Lima: Buffer.alloc(0),
      })) {
        answer(bytes);
        expect(await ask(city)).to.equal(skyline);
      }
      const logged = api.log.entries.filter(({ message }) => message === 'no picture of a city');
      expect(logged).to.have.length(3);
      expect(JSON.stringify(logged)).not.to.match(/rome|oslo|lima/i);
    });

    it('cannot be led to another host or path by the name of a city', async () => {
      answer(Buffer.alloc(0), 404);
      const names = [
        '../../admin',
        '/@evil.example/',
        '//evil.example',
        'a?b#c',
        '@evil.example:1/',
        'a\r\nhost: evil',
      ];
      await visit(...names, '.', '..');
      for (const name of names) await ask(name);
      expect(service.asked).to.deep.equal(names.map((name) => `/of/${encodeURIComponent(name)}.jpg?size=1`));
      place = '/of/{city}/large';
      for (const name of ['.', '..']) expect(await ask(name)).to.equal(skyline);
      expect(service.asked).to.have.length(names.length);
    });

    it('looks up no city without a pin, and stores nothing for it', async () => {
      answer(tiny.png);
      await visit('Rome');
      for (const city of ['Atlantis', 'rome', ...Array.from({ length: 50 }, (_, turn) => `junk ${turn}`)]) {
        expect(await ask(city)).to.equal(skyline);
      }
      expect(service.asked).to.deep.equal([]);
      expect(await api.database.db('city_picture')).to.deep.equal([]);
      expect(await ask('Rome')).to.equal(await listed(tiny.png));
    });

    it('looks up and stores nothing on a disk that is almost full', async () => {
      await visit('Rome');
      answer(tiny.png);
      trouble = 'The disk has 0 MB left.';
      expect(await ask('Rome')).to.equal(skyline);
      expect(service.asked).to.deep.equal([]);
      expect(await api.database.db('city_picture')).to.deep.equal([]);
      trouble = null;
      expect(await ask('Rome')).to.equal(await listed(tiny.png));
    });

    it('looks up at most 200 cities per hour', async () => {
      const { db } = api.database;
      await db.raw(
        `insert into city_picture (city, looked_up_at) select 'city ' || n, now() - interval '50 minutes' from generate_series(1, 199) n`,
      );
      await visit('Rome', 'Oslo');
      answer(tiny.png);
      expect(await ask('Rome')).to.equal(await listed(tiny.png));
      expect(await ask('Oslo')).to.equal(skyline);
      expect(service.asked).to.have.length(1);
      await db('city_picture')
        .whereLike('city', 'city %')
        .update({ looked_up_at: new Date(Date.now() - 3_700_000) });
      expect(await ask('Oslo')).to.equal(await listed(tiny.png));
    });

    it('keeps 2,000 cities and evicts those without a picture first, then the oldest pictures', async () => {
      const { db } = api.database;
      const [old] = await db('picture')
        .insert({ sha256: 'old', media_type: 'image/png', bytes: tiny.png })
        .returning('id');
      const add = (name: string, count: number, picture: number | null, hours: number) =>
        db.raw(
          `insert into city_picture select ? || n, ?::bigint, now() - ?::int * interval '1 hour' - n * interval '1 second' from generate_series(1, ?::int) n`,
          [name, picture, hours, count],
        );
      const kept = async (name: string) => (await db('city_picture').whereLike('city', `${name}%`)).length;
      await add('picture ', 1_990, old!.id, 9);
      await add('miss ', 300, null, 5);
      await add('recent miss ', 100, null, 0);
      answer(tiny.webp);
      await visit('Rome', 'Oslo', 'Lima');
      await ask('Rome');
      expect([
        await kept('picture'),
        await kept('miss'),
        await kept('recent'),
        await kept('rome'),
      ]).to.deep.equal([1_990, 10, 100, 1]);
      await db('city_picture').whereLike('city', 'miss%').delete();
      await add('more pictures ', 20, old!.id, 2);
      await ask('Oslo');
      expect([await kept('picture'), await kept('more'), await kept('recent')]).to.deep.equal([
        1_979, 20, 100,
      ]);
      expect(await db('picture').count()).to.deep.equal([{ count: 2 }]);
      // Evicts the last city with a picture, and the picture with it.
      await db('city_picture').whereNotIn('city', ['rome', 'oslo']).delete();
      await add('new ', 2_000, null, -1);
      await db('city_picture').whereLike('city', 'new %').update({ picture_id: old!.id });
      const lima = await photo(4, 4).png().toBuffer();
      answer(lima);
      await db.raw(`update city_picture set looked_up_at = now() - interval '2 hours' where city <> 'rome'`);
      await db.raw(
        `update city_picture set looked_up_at = now() - interval '3 hours' where city in ('rome', 'oslo')`,
      );
      await ask('Lima');
      // Rome's picture was deleted with the last city that had it.
      const { sha256 } = await makePicture(lima);
      expect(await db('picture').pluck('sha256')).to.have.members(['old', sha256]);
    });
  });
});
