import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { start } from '../../api/src/testing/api.ts';
import { freshDatabase } from '../../api/src/testing/database.ts';
import { run } from '../run/command.ts';

type Feature = {
  geometry: { coordinates: [number, number] };
  properties: Record<string, string | number | null>;
};

const manyPins = 2_345;
const manyAnimals = 123;

describe('GDAL', () => {
  let api: Awaited<ReturnType<typeof start>>;
  let folder: string;
  let requests: string[] = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'map-app-gdal-'));
    api = await start(await freshDatabase());
    api.server.on('request', ({ url }: { url: string }) => requests.push(url));
    // Each row has unique values, so that it can be identified.
    await api.database.db.raw(`
      insert into pin (longitude, latitude, country, state, city, visited_at)
      select number * 0.15 - 180, number % 170 - 85, 'Åland', case when number % 3 = 0 then 'State' end, 'Town ' || number,
             timestamptz '2026-01-01' + number * interval '61 minutes'
      from generate_series(1, ${manyPins}) number;
      insert into animal (longitude, latitude, name, location_name, placement_year, type, notes)
      select number - 180, number % 85, 'Animal ' || number, 'Bay', 1990 + number % 30, 'Seal', ''
      from generate_series(1, ${manyAnimals}) number`);
  });
  after(async () => {
    api.server.close();
    api.server.closeAllConnections();
    api.dependencies.readiness.stop();
    await api.database.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    requests = [];
  });

  /** Reads a collection with GDAL, in pages of 100 features. `at`: the path that GDAL starts from. */
  const read = async (collection: string, at: string, ...options: string[]): Promise<Feature[]> => {
    const file = join(folder, 'read.geojson');
    const source = `OAPIF:${api.address}${at}`;
    const all = ['-f', 'GeoJSON', file, source, collection, '-oo', 'PAGE_SIZE=100', ...options];
    const { code, output } = await run(['ogr2ogr', ...all]);
    try {
      expect(output).to.equal('');
      expect(code).to.equal(0);
      return (JSON.parse(readFileSync(file, 'utf8')) as { features: Feature[] }).features;
    } finally {
      rmSync(file, { force: true });
    }
  };
  const pins = async (where = 'true') => {
    const rows = await api.database.db('pin').whereRaw(where).orderBy('id');
    return rows.map(({ longitude, latitude, country, state, city, visited_at }) => ({
      at: [longitude, latitude],
      properties: { country, state, city, visit_date: visited_at.getTime() },
    }));
  };
  const flat = ({ geometry, properties }: Feature) => ({
    at: geometry.coordinates,
    properties: { ...properties, visit_date: Date.parse(String(properties['visit_date'])) },
  });

  for (const at of ['', '/collections', '/collections/pins']) {
    it(`reads all pins, page by page, from ${at || 'the root'}`, async () => {
      expect((await read('pins', at)).map(flat)).to.deep.equal(await pins());
      expect(requests.filter((url) => url.includes('after=')).length).to.equal(Math.floor(manyPins / 100));
    });
  }

  it('reads all animals', async () => {
    const names = (await read('animals', '')).map(({ properties }) => properties['animal_name']);
    expect(names).to.deep.equal(Array.from({ length: manyAnimals }, (_, index) => `Animal ${index + 1}`));
  });

  it('reads the pins in a bounding box, which the API filters', async () => {
    const inside = await pins('longitude >= -20 and longitude <= 60 and latitude >= -10 and latitude <= 45');
    expect(inside.length).to.be.greaterThan(150);
    expect((await read('pins', '', '-spat', '-20', '-10', '60', '45')).map(flat)).to.deep.equal(inside);
    const pages = requests.filter((url) => url.includes('bbox='));
    expect(pages.length).to.equal(Math.ceil(inside.length / 100));
    for (const url of requests.filter((url) => url.includes('after='))) expect(url).to.include('bbox=');
  });

  it('reads the number of features', async () => {
    for (const [collection, count] of [
      ['pins', manyPins],
      ['animals', manyAnimals],
    ] as const) {
      const { output } = await run(['ogrinfo', '-ro', '-so', `OAPIF:${api.address}`, collection]);
      expect(output).to.match(new RegExp(`^Feature Count: ${count}$`, 'm'));
    }
  });
});
