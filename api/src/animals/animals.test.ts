import { expect } from 'chai';
import sharp from 'sharp';
import { makePicture } from '../pictures/make.ts';
import { useApi } from '../testing/api.ts';
import { insert, jpegSegment, listed, photo, png, tiny } from '../testing/pictures.ts';
import { shippedPicture } from '../pictures/shipped.ts';

const seaLion = shippedPicture('sea-lion.png');

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

  it('returns none at first', async () => {
    expect((await api.get('/api/animal_locations')).body).to.deep.equal({ animal_locations: [] });
  });

  it('returns all, in order, with pictures as base64 without line breaks, at both paths', async () => {
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
          id: 1,
          coordinates: { latitude: 35.525195, longitude: -97.472377 },
          animal_name: 'Clyde',
          location_name: 'A zoo',
          placement_year: 2003,
          animal_type: 'Sea Lion',
          animal_notes: 'Naïve, 🦭',
          animal_images: picture.toString('base64'),
          picture_url: '/api/pictures/x',
        },
        {
          id: 2,
          coordinates: { latitude: -0.1, longitude: 0.30000000000000004 },
          animal_name: '',
          location_name: '',
          placement_year: null,
          animal_type: '',
          animal_notes: '',
          animal_images: seaLion.toString('base64'),
          picture_url: null,
        },
      ]);
    }
  });

  it('returns those at exactly one point', async () => {
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
    it(`rejects an invalid point: "${query}"`, async () => {
      expect((await api.get(`/api/animal_locations/lat_long?${query}`)).status).to.equal(400);
    });
  }
});

describe('the default picture of animals', () => {
  it('can be decoded, and is small enough to be repeated for every animal in a list', async () => {
    expect(await sharp(seaLion).metadata()).to.include({ format: 'png', width: 320 });
    expect(seaLion).to.have.length.below(2_000);
  });
});

describe('adding animals', () => {
  const api = useApi();
  const described = {
    animal_name: 'Rosie',
    location_name: 'Crescent Bay',
    placement_year: 2013,
    animal_type: 'California Sea Lion',
    animal_notes: 'Naïve, 🦭',
    animal_images: '',
  };
  const rosie = { lat: 33.5, long: -117.25, ...described };
  const all = async () => (await api.get('/api/animal_locations')).body.animal_locations;
  const add = (animal: object) => api.staff.post('/api/animal_locations', animal);
  const base64 = (bytes: Buffer) => bytes.toString('base64');

  it('is only for staff', async () => {
    expect((await api.post('/api/animal_locations', rosie)).status).to.equal(401);
    expect((await api.post('/api/animal_locations/address', rosie)).status).to.equal(401);
    expect(await all()).to.deep.equal([]);
  });

  it('stores what it returns', async () => {
    const { status, body } = await add({ ...rosie, animal_images: base64(tiny.jpeg) });
    expect(status).to.equal(200);
    const { success, message, lat, long, ...stored } = body;
    expect([success, lat, long]).to.deep.equal([true, 33.5, -117.25]);
    expect(message).to.equal('The animal is stored.');
    expect(stored).to.include({ ...described, animal_images: await listed(tiny.jpeg) });
    expect(await all()).to.deep.equal([{ coordinates: { latitude: 33.5, longitude: -117.25 }, ...stored }]);
  });

  it('accepts the year as digits or empty, and returns a number', async () => {
    for (const [year, answered] of [
      ['2013', 2013],
      [2013, 2013],
      ['', null],
      [null, null],
    ]) {
      const { body } = await add({
        ...rosie,
        animal_name: `Rosie ${JSON.stringify(year)}`,
        placement_year: year,
      });
      expect(body.placement_year).to.equal(answered);
    }
    expect((await all()).map((animal: { placement_year: unknown }) => animal.placement_year)).to.deep.equal([
      2013,
      2013,
      null,
      null,
    ]);
  });

  it('accepts an animal without type, notes and picture', async () => {
    const { animal_type: _type, animal_notes: _notes, animal_images: _images, ...bare } = rosie;
    expect((await add(bare)).body).to.include({
      animal_type: '',
      animal_notes: '',
      animal_images: '',
      picture_url: null,
    });
  });

  it('accepts a picture in every format that clients send', async () => {
    const encoded = base64(tiny.png);
    const forms = [
      encoded,
      encoded.replace(/=+$/, ''),
      encoded.replace(/.{20}/g, '$&\r\n'),
      `data:image/png;base64,${encoded}`,
      `data:text/html;charset=utf-8;base64,${encoded}`,
      `DATA:;BASE64,${encoded}`,
      tiny.png.toString('base64url'),
    ];
    for (const [number, animal_images] of forms.entries()) {
      const { body } = await add({ ...rosie, animal_name: `Rosie ${number}`, animal_images });
      expect(body.animal_images).to.equal(await listed(tiny.png));
    }
    // All these animals share one stored picture.
    expect(await api.database.db('picture').count()).to.deep.equal([{ count: 1 }]);
  });

  it('stores a picture without its metadata', async () => {
    const tagged = insert(tiny.jpeg, 2, jpegSegment(0xe1, 'http://ns.adobe.com/xap/1.0/\0secret'));
    const { body } = await add({ ...rosie, animal_images: base64(tagged) });
    expect(body.animal_images).to.equal(await listed(tiny.jpeg));
    expect(Buffer.from(body.animal_images, 'base64').includes('secret')).to.equal(false);
  });

  it('serves a picture as a file that clients may cache forever', async () => {
    for (const [kind, file] of Object.entries(tiny)) {
      const { body } = await add({ ...rosie, animal_name: kind, animal_images: base64(file) });
      const answer = await api.get(body.picture_url);
      expect(answer.status).to.equal(200);
      expect(answer.body.equals((await makePicture(file)).bytes)).to.equal(true);
      expect(answer.headers.get('content-type')).to.equal('image/jpeg');
      expect(answer.headers.get('cache-control')).to.equal('public, max-age=31536000, immutable');
      expect(answer.headers.get('x-content-type-options')).to.equal('nosniff');
    }
    expect((await api.get(`/api/pictures/${'0'.repeat(64)}`)).status).to.equal(404);
    expect((await api.get('/api/pictures/x')).status).to.equal(400);
  });

  it('returns 409 for an animal with the same name at the same point, and does not store its picture', async () => {
    await add(rosie);
    const { status, body } = await add({
      ...rosie,
      animal_notes: 'Another',
      animal_images: base64(tiny.gif),
    });
    expect(status).to.equal(409);
    expect(body.message).to.equal('An animal with this name already exists at this point.');
    expect(await all()).to.have.length(1);
    expect(await api.database.db('picture').count()).to.deep.equal([{ count: 0 }]);
    expect((await add({ ...rosie, long: -117 })).status).to.equal(200);
  });

  it('handles a repeated request once', async () => {
    const call = {
      body: { ...rosie, animal_images: base64(tiny.png) },
      headers: { 'idempotency-key': 'rosie-1' },
    };
    const first = await api.staff.call('POST', '/api/animal_locations', call);
    const second = await api.staff.call('POST', '/api/animal_locations', call);
    expect([first.status, second.status]).to.deep.equal([200, 200]);
    expect(second.body).to.deep.equal(first.body);
    expect(await all()).to.have.length(1);
  });

  it('accepts a form with a file, in which all other fields are text', async () => {
    const form = (file: Buffer | null, change: object = {}) => {
      const data = new FormData();
      for (const [name, value] of Object.entries({ ...rosie, ...change })) data.set(name, String(value));
      if (file) data.set('animal_images', new Blob([new Uint8Array(file)]), 'IMG_0001.JPG');
      return data;
    };
    const file = await photo(900, 600).jpeg().toBuffer();
    const { status, body } = await api.staff.post('/api/animal_locations', form(file));
    expect(status).to.equal(200);
    expect(body).to.include({ lat: 33.5, placement_year: 2013, animal_images: await listed(file) });
    const bare = await api.staff.post('/api/animal_locations', form(null, { animal_name: 'Bare' }));
    expect(bare.body).to.include({ animal_images: '', picture_url: null });
    const unchosen = form(Buffer.alloc(0), { animal_name: 'Unchosen' });
    expect((await api.staff.post('/api/animal_locations', unchosen)).body.picture_url).to.equal(null);
    for (const [change, expected] of [
      [{ lat: 'north' }, 400],
      [{ something: 'unknown' }, 400],
    ] as const) {
      expect((await api.staff.post('/api/animal_locations', form(file, change))).status).to.equal(expected);
    }
    expect((await api.staff.post('/api/animal_locations', form(Buffer.from('<svg/>')))).status).to.equal(415);
    const malformed = { body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=x' } };
    expect((await api.staff.call('POST', '/api/animal_locations', malformed)).status).to.equal(400);
  });

  it('accepts a photo of 8 MB without delaying other requests', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    const file = await sharp({
      create: { width: 2_500, height: 2_000, channels: 3, background: '#fff', noise },
    })
      .jpeg({ quality: 95 })
      .toBuffer();
    const call = api.staff.post('/api/animal_locations', { ...rosie, animal_images: base64(file) });
    let answered = 0;
    const progress = { isDone: false };
    void call.finally(() => (progress.isDone = true)).catch(() => undefined);
    while (!progress.isDone) {
      expect((await api.get('/api/animal_locations')).status).to.equal(200);
      answered++;
    }
    expect((await call).status).to.equal(200);
    expect(answered).to.be.above(5);
  }).timeout(60_000);

  it('returns 503 for more concurrent uploads than allowed, and stores the others', async () => {
    const body = { ...rosie, animal_images: base64(await photo(1_200, 900).jpeg().toBuffer()) };
    const answers = await Promise.all(
      Array.from({ length: 7 }, (_, number) => add({ ...body, animal_name: `Rosie ${number}` })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses).to.have.members([200, 200, 200, 200, 503, 503, 503]);
    expect(await all()).to.have.length(4);
  }).timeout(60_000);

  it('serves the picture in fixed widths, WebP where the client accepts it', async () => {
    const { body } = await add({ ...rosie, animal_images: base64(await photo(1_000, 500).png().toBuffer()) });
    for (const path of [`/api/animal_locations/${body.id}/picture`, body.picture_url]) {
      for (const [accept, kind] of [
        ['image/avif,image/webp,*/*;q=0.8', 'webp'],
        ['image/webp;q=0, image/*', 'jpeg'],
        ['*/*', 'jpeg'],
      ] as const) {
        const {
          status,
          body: file,
          headers,
        } = await api.call('GET', `${path}?width=320`, { headers: { accept } });
        expect([status, headers.get('content-type')]).to.deep.equal([200, `image/${kind}`]);
        expect(headers.get('vary')).to.match(/\bAccept\b(?!-)/);
        // An animal may get another picture.
        expect(headers.get('cache-control')).to.equal(
          path === body.picture_url ? 'public, max-age=31536000, immutable' : 'no-cache',
        );
        expect(await sharp(file).metadata()).to.include({ width: 320, height: 160, format: kind });
        const again = { accept, 'if-none-match': headers.get('etag')! };
        expect((await api.call('GET', `${path}?width=320`, { headers: again })).status).to.equal(304);
        expect((await api.call('GET', `${path}?width=640`, { headers: again })).status).to.equal(200);
      }
      expect(await sharp((await api.get(path)).body).metadata()).to.include({ width: 1_000, format: 'jpeg' });
      for (const width of ['321', '0', 'x', '']) {
        expect((await api.get(`${path}?width=${width}`)).status).to.equal(400);
      }
    }
    const bare = (await add({ ...rosie, animal_name: 'Bare' })).body.id;
    const drawn = await api.get(`/api/animal_locations/${bare}/picture?width=320`);
    expect(drawn.body.equals(seaLion)).to.equal(true);
    expect((await api.get('/api/animal_locations/4711/picture')).status).to.equal(404);
  });

  const huge = png({ width: 60_000, height: 60_000, data: Buffer.alloc(1_000) });
  const refused: [what: string, status: number, change: object][] = [
    ['no point', 400, { lat: undefined }],
    ['a point as text', 400, { lat: '33.5' }],
    ['a point off the map', 400, { long: 180.001 }],
    ['no name', 400, { animal_name: undefined }],
    ['an empty name', 400, { animal_name: ' ' }],
    ['a name that is too long', 400, { animal_name: 'x'.repeat(201) }],
    ['a name with NUL', 400, { animal_name: 'a\0b' }],
    ['no place', 400, { location_name: '' }],
    ['no year', 400, { placement_year: undefined }],
    ['a year of three digits', 400, { placement_year: 203 }],
    ['a year of words', 400, { placement_year: 'soon' }],
    ['half a year', 400, { placement_year: 2013.5 }],
    ['a type that is not text', 400, { animal_type: 7 }],
    ['notes that are too long', 400, { animal_notes: 'x'.repeat(5_001) }],
    ['something unknown', 400, { address: 'Laguna Beach, CA' }],
    ['a picture that is not text', 400, { animal_images: {} }],
    ['a path in place of a picture', 400, { animal_images: './static/rosie.jpg' }],
    ['a path that looks like base64', 415, { animal_images: '/etc/passwd' }],
    ['a data URL without base64', 400, { animal_images: 'data:image/svg+xml,<svg/>' }],
    [
      'a picture of another kind',
      415,
      { animal_images: base64(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')) },
    ],
    ['a truncated picture', 422, { animal_images: base64(tiny.jpeg.subarray(0, -20)) }],
    ['a picture of too many pixels', 413, { animal_images: base64(huge) }],
    ['a picture of too many bytes', 413, { animal_images: base64(Buffer.alloc(26_300_000, tiny.png)) }],
    ['a body above the limit', 413, { animal_images: 'A'.repeat(37_000_001) }],
    ['a HEIC file', 415, { animal_images: base64(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic')) }],
  ];
  for (const [what, status, change] of refused) {
    it(`returns ${status} for ${what}, and stores nothing`, async () => {
      const answer = await add({ ...rosie, ...change });
      expect(answer.status).to.equal(status);
      expect(answer.body.message).to.match(/^\S.*\.$/);
      expect(answer.body.message.length).to.be.lessThan(250);
      expect(await all()).to.deep.equal([]);
    });
  }

  it('does not change the limit of other routes', async () => {
    const text = 'x'.repeat(20_000);
    expect((await api.staff.post('/api/questions', { text })).status).to.equal(413);
  });

  describe('by address', () => {
    const at = (address: unknown, change: object = {}) =>
      api.staff.post('/api/animal_locations/address', { address, ...described, ...change });

    it('stores the animal at the point of the address, and returns its place', async () => {
      const { status, body } = await at('Laguna Beach, CA', { animal_images: base64(tiny.webp) });
      expect(status).to.equal(200);
      expect(body.lat).to.be.closeTo(33.54, 0.01);
      expect(body.long).to.be.closeTo(-117.78, 0.01);
      expect(body.message).to.equal(
        'The animal is stored at Laguna Beach, California, United States of America.',
      );
      const [{ coordinates, animal_images }] = await all();
      expect(coordinates).to.deep.equal({ latitude: body.lat, longitude: body.long });
      expect(animal_images).to.equal(await listed(tiny.webp));
    });

    it('returns 422 for an address that is not found, 400 without an address', async () => {
      expect((await at('Nowhere at All')).status).to.equal(422);
      for (const address of ['', undefined, 7, 'x'.repeat(301)])
        expect((await at(address)).status).to.equal(400);
      expect(await all()).to.deep.equal([]);
    });
  });
});

describe('correcting and deleting animals', () => {
  const api = useApi();
  const rosie = {
    lat: 33.5,
    long: -117.25,
    animal_name: 'Rosie',
    location_name: 'Crescent Bay',
    placement_year: 2013,
    animal_type: 'California Sea Lion',
    animal_notes: 'Naïve',
    animal_images: tiny.jpeg.toString('base64'),
  };
  let id: number;
  beforeEach(async () => {
    ({ id } = (await api.staff.post('/api/animal_locations', rosie)).body);
  });
  const all = async () => (await api.get('/api/animal_locations')).body.animal_locations;
  const pictures = async () => (await api.database.db('picture')).length;
  const change = (body: unknown, of: number | string = id) =>
    api.staff.call('PATCH', `/api/animal_locations/${of}`, { body });
  const remove = (of: number | string = id) => api.staff.call('DELETE', `/api/animal_locations/${of}`);

  it('changes the given fields and keeps the others', async () => {
    const [before] = await all();
    const { status, body } = await change({ animal_name: ' Rosa ', placement_year: '2014' });
    expect(status).to.equal(200);
    expect(body.message).to.equal('The animal is corrected.');
    expect(body.animal).to.deep.equal({ ...before, animal_name: 'Rosa', placement_year: 2014 });
    expect(await all()).to.deep.equal([body.animal]);
    const cleared = await change({ placement_year: '', animal_notes: '' });
    expect(cleared.body.animal).to.include({ placement_year: null, animal_notes: '' });
  });

  it('moves an animal to a point', async () => {
    const moved = await change({ lat: 1, long: 2 });
    expect(moved.body.animal.coordinates).to.deep.equal({ latitude: 1, longitude: 2 });
  });

  it('replaces and removes its picture, and deletes unused pictures', async () => {
    const { body } = await change({ animal_images: tiny.png.toString('base64') });
    expect(body.animal.animal_images).to.equal(await listed(tiny.png));
    expect(await pictures()).to.equal(1);
    expect((await change({ animal_images: '' })).body.animal.picture_url).to.equal(null);
    expect(await pictures()).to.equal(0);
  });

  it('deletes an animal, and its picture unless another animal has it', async () => {
    const other = (await api.staff.post('/api/animal_locations', { ...rosie, lat: 1 })).body.id;
    expect((await remove()).body).to.deep.equal({ success: true, message: 'The animal is deleted.' });
    expect((await all()).map((animal: { id: number }) => animal.id)).to.deep.equal([other]);
    expect(await pictures()).to.equal(1);
    expect((await remove()).status).to.equal(404);
    expect((await remove(other)).status).to.equal(200);
    expect(await pictures()).to.equal(0);
  });

  it('returns 409 if another animal has the name at the point', async () => {
    await api.staff.post('/api/animal_locations', { ...rosie, lat: 1 });
    const before = await all();
    const { status, body } = await change({ lat: 1, long: rosie.long, animal_images: '' });
    expect(status).to.equal(409);
    expect(body.message).to.equal('An animal with this name already exists at this point.');
    expect(await all()).to.deep.equal(before);
  });

  it('is only for staff', async () => {
    expect(
      (await api.call('PATCH', `/api/animal_locations/${id}`, { body: { lat: 1, long: 2 } })).status,
    ).to.equal(401);
    expect((await api.call('DELETE', `/api/animal_locations/${id}`)).status).to.equal(401);
    expect(await all()).to.have.length(1);
  });

  for (const [what, status, body, of] of [
    ['nothing to change', 400, {}],
    ['half a point', 400, { lat: 1 }],
    ['an empty name', 400, { animal_name: ' ' }],
    ['something unknown', 400, { id: 7 }],
    ['a file that is not a picture', 415, { animal_images: '/etc/passwd' }],
    ['another id', 404, { animal_name: 'Rosa' }, '4711'],
    ['an id that is not a number', 400, { animal_name: 'Rosa' }, 'x'],
  ] as const) {
    it(`returns ${status} for ${what}, and changes nothing`, async () => {
      const before = await all();
      expect((await change(body, of)).status).to.equal(status);
      expect(await all()).to.deep.equal(before);
    });
  }
});
