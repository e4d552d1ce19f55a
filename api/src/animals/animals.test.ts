import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

const clyde = {
  latitude: 35.525195,
  longitude: -97.472377,
  name: 'Clyde',
  location_name: 'A zoo',
  placement_year: 2003,
};
const nameless = {
  latitude: -0.1,
  longitude: 0.30000000000000004,
  name: '',
  location_name: '',
  placement_year: null,
};
const picture = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 256));

describe('animals', () => {
  const api = useApi();

  it('answers none at first', async () => {
    expect((await api.get('/api/animal_locations')).body).to.deep.equal({ animal_locations: [] });
  });

  it('answers all, in order, with pictures as base64 without line breaks, at both paths', async () => {
    const { db } = api.database;
    const [stored] = await db('picture')
      .insert({ sha256: 'x', media_type: 'image/jpeg', bytes: picture })
      .returning('id');
    await db('animal').insert({
      ...clyde,
      type: 'Sea Lion',
      notes: 'Naïve, 🦭',
      picture_id: stored?.id ?? null,
    });
    await db('animal').insert(nameless);
    for (const path of ['/api/animal_locations', '/api/animal_locations/address']) {
      const { status, body } = await api.get(path);
      expect(status).to.equal(200);
      expect(body.animal_locations).to.deep.equal([
        {
          coordinates: { latitude: 35.525195, longitude: -97.472377 },
          animal_name: 'Clyde',
          location_name: 'A zoo',
          placement_year: 2003,
          animal_type: 'Sea Lion',
          animal_notes: 'Naïve, 🦭',
          animal_images: picture.toString('base64'),
        },
        {
          coordinates: { latitude: -0.1, longitude: 0.30000000000000004 },
          animal_name: '',
          location_name: '',
          placement_year: null,
          animal_type: '',
          animal_notes: '',
          animal_images: '',
        },
      ]);
    }
  });

  it('answers those at exactly one point', async () => {
    await api.database.db('animal').insert([clyde, nameless]);
    const names = async (query: string) =>
      (await api.get(`/api/animal_locations/lat_long?${query}`)).body.animal_locations.map(
        (animal: { animal_name: string }) => animal.animal_name,
      );
    expect(await names('latitude=35.525195&longitude=-97.472377')).to.deep.equal(['Clyde']);
    expect(await names('latitude=-0.1&longitude=0.30000000000000004')).to.deep.equal(['']);
    expect(await names('latitude=%2035.5251950000000000001&longitude=-97.472377')).to.deep.equal(['Clyde']);
    expect(await names('latitude=35.525&longitude=-97.472377')).to.deep.equal([]);
  });

  for (const query of [
    '',
    'latitude=1',
    'latitude=x&longitude=1',
    'latitude=NaN&longitude=1',
    'latitude=91&longitude=1',
    'latitude=1&latitude=2&longitude=1',
    'latitude=&longitude=',
  ]) {
    it(`refuses what is not a point: "${query}"`, async () => {
      expect((await api.get(`/api/animal_locations/lat_long?${query}`)).status).to.equal(400);
    });
  }
});
