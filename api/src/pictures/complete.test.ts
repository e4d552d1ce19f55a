import { expect } from 'chai';
import { makePicture } from './make.ts';
import { useApi } from '../testing/api.ts';
import { insert, listed, photo, pngChunk, tiny } from '../testing/pictures.ts';
import { completePictures } from './complete.ts';

describe('completePictures', function () {
  this.timeout(120_000);
  const api = useApi();
  const never = new AbortController().signal;
  const complete = () => {
    const { db, pictures, log } = api.dependencies;
    return completePictures(db, pictures, log, never);
  };
  /** Stores a picture as releases without sizes did, for an animal and a city. */
  const storeOld = async (sha256: string, bytes: Buffer) => {
    const { db } = api.database;
    const [picture] = await db('picture').insert({ sha256, media_type: 'image/png', bytes }).returning('id');
    const animal = { latitude: 1, longitude: 2, name: sha256, location_name: 'Bay', placement_year: null };
    await db('animal').insert({ ...animal, picture_id: picture!.id });
    await db('city_picture').insert({ city: sha256, picture_id: picture!.id, looked_up_at: new Date() });
  };

  it('converts pictures of an earlier release, and changes the state of the list', async () => {
    const old = insert(
      await photo(900, 600).png().toBuffer(),
      33,
      pngChunk('tEXt', Buffer.from('a\0secret')),
    );
    await storeOld('old', old);
    const before = await api.get('/api/animal_locations');
    // Before the conversion, the whole picture is served.
    expect(before.body.animal_locations[0].animal_images).to.equal(old.toString('base64'));
    const whole = await api.get('/api/animal_locations/1/picture?width=320');
    expect(whole.headers.get('content-type')).to.equal('image/png');

    expect(await complete()).to.equal(1);
    const again = { headers: { 'if-none-match': before.headers.get('etag')! } };
    const { status, body } = await api.call('GET', '/api/animal_locations', again);
    expect(status).to.equal(200);
    const { sha256 } = await makePicture(old);
    expect(body.animal_locations[0]).to.include({
      animal_images: await listed(old),
      picture_url: `/api/pictures/${sha256}`,
    });
    expect(await api.database.db('picture').pluck('sha256')).to.deep.equal([sha256]);
    expect(await api.database.db('city_picture').whereNull('picture_id')).to.deep.equal([]);
    expect(await complete()).to.equal(0);
  });

  it('stores equal pictures of animals once, and keeps pictures that cannot be decoded', async () => {
    await storeOld('one', tiny.png);
    await storeOld('two', insert(tiny.png, 33, pngChunk('tEXt', Buffer.from('a\0b'))));
    await storeOld('broken', Buffer.from('no picture'));
    expect(await complete()).to.equal(2);
    const { sha256 } = await makePicture(tiny.png);
    expect(await api.database.db('picture').orderBy('id').pluck('sha256')).to.have.members([
      'broken',
      sha256,
    ]);
    const { body } = await api.get('/api/animal_locations');
    expect(body.animal_locations.map((animal: { picture_url: string }) => animal.picture_url)).to.deep.equal([
      `/api/pictures/${sha256}`,
      `/api/pictures/${sha256}`,
      '/api/pictures/broken',
    ]);
    expect(api.log.entries.filter(({ message }) => /cannot be converted/.test(message))).to.have.length(1);
  });
});
