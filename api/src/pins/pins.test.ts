import { expect } from 'chai';
import { serverUrl } from '../testing/database.ts';
import { useApi } from '../testing/api.ts';
import type { Pin } from './schema.ts';

const losAngeles = { lat: 34.0522, long: -118.2437 };
const springfieldIllinois = { lat: 39.7817, long: -89.6501 };
const springfieldMissouri = { lat: 37.2153, long: -93.2982 };
const paris = { lat: 48.8566, long: 2.3522 };
const greenland = { lat: 75, long: -40 };
const midPacific = { lat: 0, long: -140 };

describe('pins', () => {
  const api = useApi();
  const add = async (...points: object[]) => {
    for (const point of points) expect((await api.post('/api/locations', point)).status).to.equal(200);
  };
  const stored = async () => (await api.get('/api/locations')).body.locations;

  describe('POST /api/geocoder', () => {
    it('names a place', async () => {
      const { status, body } = await api.post('/api/geocoder', losAngeles);
      expect(status).to.equal(200);
      expect(body).to.deep.equal({
        success: true,
        city: 'Los Angeles',
        state: 'California',
        country: 'United States of America',
      });
    });

    it('returns 200 with success false in water', async () => {
      const { status, body } = await api.post('/api/geocoder', midPacific);
      expect(status).to.equal(200);
      expect(body).to.deep.include({ success: false, city: '', state: '', country: '' });
      expect(body.message).to.be.a('string').and.not.equal('');
    });

    it('returns success without names at exactly (0, 0), which the kiosk sends when a visitor presses Start', async () => {
      for (const point of ['{"lat":0,"long":0}', '{"lat":-0.0,"long":0}']) {
        const { status, body } = await api.post('/api/geocoder', point);
        expect(status).to.equal(200);
        expect(body).to.deep.equal({ success: true, city: null, state: null, country: null });
      }
      expect((await api.post('/api/geocoder', { lat: 0, long: 0.0001 })).body.success).to.equal(false);
    });

    it('stores no pin at (0, 0)', async () => {
      expect((await api.post('/api/locations', { lat: 0, long: 0 })).status).to.equal(422);
      expect(await stored()).to.deep.equal([]);
    });
  });

  describe('POST /api/locations', () => {
    it('stores the pin and includes it in the counts', async () => {
      const before = Date.now();
      const first = await api.post('/api/locations', losAngeles);
      expect(first.status).to.equal(200);
      expect(first.body).to.deep.include({
        success: true,
        city: 'Los Angeles',
        state: 'California',
        country: 'United States of America',
        city_count: 1,
        state_count: 1,
        country_count: 1,
      });
      expect(first.body.distance).to.be.closeTo(42.9, 0.5);
      expect((await api.post('/api/locations', losAngeles)).body).to.deep.include({
        city_count: 2,
        state_count: 2,
      });

      const pins = await stored();
      expect(pins).to.have.length(2);
      expect(pins[0].coordinates).to.deep.equal({ latitude: losAngeles.lat, longitude: losAngeles.long });
      expect(pins[0].visit_date).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(pins[0].visit_date)).to.be.within(before - 5_000, Date.now() + 5_000);
    });

    it('distinguishes towns of the same name in two states', async () => {
      await add(springfieldIllinois, springfieldIllinois);
      const { body } = await api.post('/api/locations', springfieldMissouri);
      expect(body).to.deep.include({
        city: 'Springfield',
        state: 'Missouri',
        city_count: 1,
        state_count: 1,
        country_count: 3,
      });
    });

    it('counts the first-level region of every country', async () => {
      await add(paris);
      const { body } = await api.post('/api/locations', paris);
      expect(body).to.deep.include({
        city: 'Paris',
        state: 'Île-de-France',
        country: 'France',
        city_count: 2,
        state_count: 2,
        country_count: 2,
      });
    });

    it('counts 0 without a state or city', async () => {
      const { body } = await api.post('/api/locations', greenland);
      expect(body).to.deep.include({
        city: null,
        state: null,
        country: 'Greenland',
        city_count: 0,
        state_count: 0,
        country_count: 1,
      });
    });

    it('wraps longitudes', async () => {
      for (const turns of [1, -2]) {
        const point = { lat: paris.lat, long: paris.long + turns * 360 };
        expect((await api.post('/api/geocoder', point)).body).to.deep.include({
          success: true,
          city: 'Paris',
        });
        expect((await api.post('/api/locations', point)).body).to.deep.include({ city: 'Paris' });
      }
      const longitudes = (await stored()).map((pin: Pin) => pin.coordinates.longitude);
      for (const longitude of longitudes) expect(longitude).to.be.closeTo(paris.long, 1e-9);
      expect(longitudes).to.have.length(2);
    });

    it('stores nothing in water', async () => {
      const { status, body } = await api.post('/api/locations', midPacific);
      expect(status).to.equal(422);
      expect(body.success).to.equal(false);
      expect(await stored()).to.deep.equal([]);
    });

    it('counts concurrent pins exactly', async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, turn) =>
          api.post('/api/locations', turn % 2 ? losAngeles : springfieldMissouri),
        ),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array.from({ length: 40 }, () => 200));
      const counts = answers.map(({ body }) => body.country_count).sort((a, b) => a - b);
      expect(counts).to.deep.equal(Array.from({ length: 40 }, (_, index) => index + 1));
      const { body } = await api.get('/api/locations/counts');
      expect(body).to.deep.include({ total_visitors: 40, unique_states: 2, unique_countries: 1 });
    });
  });

  describe('an invalid point', () => {
    const bad: Record<string, unknown> = {
      'latitude missing': { long: 1 },
      'longitude missing': { lat: 1 },
      'latitude as text': { lat: '1', long: 1 },
      'latitude null': { lat: null, long: 1 },
      'latitude too far north': { lat: 90.000001, long: 1 },
      'latitude too far south': { lat: -90.000001, long: 1 },
      'longitude infinite': '{"lat": 1, "long": 1e400}',
      'additional fields': { lat: 1, long: 1, city: 'Here' },
      'a list': [1, 1],
      'NaN as JavaScript writes it': '{"lat": NaN, "long": 1}',
      'a number beyond the range of doubles': '{"lat": 1e400, "long": 1}',
      'half of a body': '{"lat": 1, "lo',
      'a text': '"1,1"',
      nothing: '',
    };
    for (const [name, body] of Object.entries(bad)) {
      it(`is rejected with 400: ${name}`, async () => {
        for (const path of ['/api/geocoder', '/api/locations']) {
          const answer = await api.post(path, body);
          expect(answer.status, path).to.equal(400);
          expect(answer.body.success).to.equal(false);
        }
        expect(await stored()).to.deep.equal([]);
      });
    }

    for (const point of [
      { lat: 90, long: 180 },
      { lat: -90, long: -180 },
      { lat: -0, long: 0 },
    ]) {
      it(`is accepted at the limits: ${point.lat}, ${point.long}`, async () => {
        expect((await api.post('/api/geocoder', point)).status).to.equal(200);
        expect((await api.post('/api/locations', point)).status).to.be.oneOf([200, 422]);
      });
    }
  });

  describe('GET /api/locations', () => {
    it('filters by country, state and city', async () => {
      await add(losAngeles, springfieldIllinois, springfieldMissouri, paris);
      const cities = async (path: string) =>
        (await api.get(`/api/locations/${path}`)).body.locations.map(({ city }: { city: string }) => city);
      expect(await cities('country/United%20States%20of%20America')).to.have.length(3);
      expect(await cities('state/Missouri')).to.deep.equal(['Springfield']);
      expect(await cities('state/%C3%8Ele-de-France')).to.deep.equal(['Paris']);
      expect(await cities('city/Springfield')).to.deep.equal(['Springfield', 'Springfield']);
      expect(await cities("city/Nowhere'%3B--")).to.deep.equal([]);
      expect(await stored()).to.have.length(4);
    });

    it('lists each pin once in the order of the ids, even if they were dropped in another order', async () => {
      await api.database.db.raw(
        `insert into pin (latitude, longitude, country, visited_at)
         select 1, 2, 'Oz', '2026-01-01'::timestamptz - number * interval '1 hour' from generate_series(1, 1200) number`,
      );
      const ids = (await stored()).map(({ id }: Pin) => id);
      expect(ids).to.deep.equal(Array.from({ length: 1_200 }, (_, index) => ids[0] + index));
    });

    it('rejects a name that no place can have', async () => {
      expect((await api.get('/api/locations/city/%00')).status).to.equal(400);
      expect((await api.get('/api/locations/city/%E0%A4%A')).status).to.equal(400);
      expect((await api.get(`/api/locations/city/${'x'.repeat(201)}`)).status).to.equal(400);
      expect((await api.get('/api/locations/city/%F0%9F%A6%AD')).body).to.deep.equal({ locations: [] });
    });
  });

  describe('GET /api/locations/counts', () => {
    it('is all zeros at first', async () => {
      const { body } = await api.get('/api/locations/counts');
      expect(body).to.deep.equal({
        success: true,
        total_visitors: 0,
        unique_states: 0,
        unique_countries: 0,
        unqiue_countries: 0,
      });
    });

    it('counts only states of the United States', async () => {
      await add(losAngeles, springfieldMissouri, paris);
      await add({ lat: 43.6426, long: -79.3871 });
      const { body } = await api.get('/api/locations/counts');
      expect(body).to.deep.include({
        total_visitors: 4,
        unique_states: 2,
        unique_countries: 3,
        unqiue_countries: 3,
      });
    });

    it('includes the counts of a country and a state if both are given', async () => {
      await add(losAngeles, springfieldMissouri, paris);
      const counts = async (query: string) => (await api.get(`/api/locations/counts?${query}`)).body;
      expect(await counts('country=United+States+of+America&state=California')).to.deep.include({
        this_state_count: 1,
        this_country_count: 2,
      });
      expect(await counts('country=France&state=%C3%8Ele-de-France')).to.deep.include({
        this_state_count: 1,
        this_country_count: 1,
      });
      expect(await counts('country=France&state=')).to.deep.include({
        this_state_count: 0,
        this_country_count: 1,
      });
      expect(await counts('country=France&state=California')).to.deep.include({ this_state_count: 0 });
      expect(await counts('country=Atlantis&state=None')).to.deep.include({ this_country_count: 0 });
      for (const incomplete of ['country=France', 'state=California'])
        expect(await counts(incomplete)).to.deep.equal(await counts(''));
      expect(await counts('')).to.include({ total_visitors: 3 });
    });

    it('omits places whose last pin was deleted', async () => {
      await add(losAngeles, paris);
      await api.database.db('pin').where({ country: 'France' }).delete();
      const { body } = await api.get('/api/locations/counts');
      expect(body).to.deep.include({ total_visitors: 1, unique_countries: 1 });
    });
  });

  it(`runs on ${serverUrl ? 'a real' : 'the embedded'} PostgreSQL`, async () => {
    const { rows } = await api.database.db.raw('select version()');
    expect(rows[0].version.includes('PGlite')).to.equal(serverUrl === undefined);
  });
});
