import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

const losAngeles = { lat: 34.0522, long: -118.2437 };
const springfieldMissouri = { lat: 37.2153, long: -93.2982 };
const paris = { lat: 48.8566, long: 2.3522 };
const midPacific = { lat: 0, long: -140 };

describe('the correction of a pin', () => {
  const api = useApi();
  beforeEach(async () => {
    for (const point of [losAngeles, losAngeles, springfieldMissouri]) {
      expect((await api.post('/api/locations', point)).status).to.equal(200);
    }
  });
  const pins = async () => (await api.get('/api/locations')).body.locations;
  const correct = (id: number | string, body: unknown) =>
    api.staff.call('PATCH', `/api/locations/${id}`, { body });
  const counts = async () => {
    const query = 'country=United+States+of+America&state=California';
    const { body } = await api.get(`/api/locations/counts?${query}`);
    return [
      body.total_visitors,
      body.unique_countries,
      body.unique_states,
      body.this_country_count,
      body.this_state_count,
    ];
  };

  it('recomputes the names for a new point, and updates all counts', async () => {
    expect(await counts()).to.deep.equal([3, 1, 2, 3, 2]);
    const [before] = await pins();
    const { status, body } = await correct(before.id, paris);
    expect(body.location.country).to.equal('France');
    expect(status).to.equal(200);
    expect(body).to.deep.equal({
      success: true,
      message: 'The pin is corrected.',
      location: {
        ...before,
        coordinates: { latitude: paris.lat, longitude: paris.long },
        ...api.dependencies.geocoder.locate(paris.lat, paris.long),
      },
    });
    expect((await pins())[0]).to.deep.equal(body.location);
    expect(await counts()).to.deep.equal([3, 2, 2, 2, 1]);
    const { body: next } = await api.post('/api/locations', paris);
    expect(next).to.deep.include({ city_count: 2, state_count: 2, country_count: 2 });
  });

  it('accepts names alone, or with a point', async () => {
    const [{ id }] = await pins();
    const named = await correct(id, { city: ' Pasadena ' });
    expect(named.body.location).to.deep.include({ city: 'Pasadena', state: 'California' });
    const cleared = await correct(id, { city: null });
    expect(cleared.body.location).to.deep.include({ city: null, state: 'California' });
    const both = await correct(id, { ...paris, city: 'Lutèce', state: 'Île-de-France' });
    expect(both.body.location).to.deep.include({ city: 'Lutèce', state: 'Île-de-France', country: 'France' });
    expect(await counts()).to.deep.equal([3, 2, 2, 2, 1]);
  });

  it('wraps the longitude', async () => {
    const [{ id }] = await pins();
    const { body } = await correct(id, { lat: paris.lat, long: paris.long - 360 });
    expect(body.location.city).to.equal('Paris');
    expect(body.location.coordinates.longitude).to.be.closeTo(paris.long, 1e-9);
  });

  it('changes nothing in water', async () => {
    const before = await pins();
    expect((await correct(before[0].id, midPacific)).status).to.equal(422);
    expect(await pins()).to.deep.equal(before);
  });

  it('deletes a pin and updates all counts', async () => {
    const [{ id }, second] = await pins();
    const { status, body } = await api.staff.call('DELETE', `/api/locations/${id}`);
    expect(status).to.equal(200);
    expect(body).to.deep.equal({ success: true, message: 'The pin is deleted.' });
    expect(await counts()).to.deep.equal([2, 1, 2, 2, 1]);
    expect((await pins())[0]).to.deep.equal(second);
    expect((await api.staff.call('DELETE', `/api/locations/${id}`)).status).to.equal(404);
  });

  it('is exact with concurrent corrections', async () => {
    const all = await pins();
    const points = [losAngeles, springfieldMissouri, paris];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, turn) => correct(all[turn % 3].id, points[(turn * 7) % 3])),
    );
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]));
    const now = await pins();
    const places = now.map(({ country }: { country: string }) => country);
    expect((await counts())[1]).to.equal(new Set(places).size);
  });

  it('is only for staff', async () => {
    const before = await pins();
    for (const method of ['PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? paris : undefined;
      expect((await api.call(method, `/api/locations/${before[0].id}`, { body })).status).to.equal(401);
    }
    expect(await pins()).to.deep.equal(before);
  });

  for (const [id, status] of [
    ['4', 404],
    ['9007199254740991', 404],
    ['9007199254740993', 400],
    ['99999999999999999999999', 400],
    ['0', 400],
    ['-1', 400],
    ['1.5', 400],
    ['x', 400],
    ['%00', 400],
  ] as const) {
    it(`is a ${status} for the id ${id}`, async () => {
      expect((await correct(id, paris)).status).to.equal(status);
      expect((await api.staff.call('DELETE', `/api/locations/${id}`)).status).to.equal(status);
      expect(await counts()).to.deep.equal([3, 1, 2, 3, 2]);
    });
  }

  for (const [what, body] of Object.entries({
    nothing: '',
    'no change': {},
    'half a point': { lat: 1 },
    'half a point and a name': { long: 1, city: 'Rome' },
    'additional fields': { city: 'Rome', visit_date: '2026-01-01' },
    'a point as text': { lat: '1', long: '2' },
    'a point off the globe': { lat: 90.1, long: 0 },
    'a point of NaN': '{"lat": NaN, "long": 1}',
    'no country': { country: null },
    'a blank country': { country: ' ' },
    'a number for a name': { city: 1 },
    'a name that is too long': { city: 'x'.repeat(201) },
    'a name with a NUL': { state: 'a\0' },
    'a list': [paris],
  })) {
    it(`is a 400 with ${what}`, async () => {
      const before = await pins();
      expect((await correct(before[0].id, body)).status).to.equal(400);
      expect(await pins()).to.deep.equal(before);
    });
  }

  it('returns 410 for the removed route that deleted every other pin', async () => {
    const { status, body } = await api.get('/api/snap/location');
    expect(status).to.equal(410);
    expect(body.message).to.match(/Nothing was deleted/);
    expect(await pins()).to.have.length(3);
  });
});
