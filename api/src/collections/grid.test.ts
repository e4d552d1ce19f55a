import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

type Cell = {
  id: string;
  geometry: { coordinates: [number, number][][] };
  properties: { count: number; zoom: number; x: number; y: number };
};

describe('the grid of counts', () => {
  const api = useApi();
  const pins = (...points: [longitude: number, latitude: number][]) =>
    api.database.db('pin').insert(
      points.map(([longitude, latitude]) => ({
        longitude,
        latitude,
        country: 'Oz',
        state: null,
        city: null,
      })),
    );
  const cells = async (query: string): Promise<Cell[]> => {
    const { status, headers, body } = await api.get(`/collections/pins/grid?${query}`);
    expect(status, query).to.equal(200);
    expect(headers.get('content-type')).to.equal('application/geo+json');
    expect(body.numberReturned).to.equal(body.features.length);
    return body.features;
  };
  const counts = async (query: string) =>
    Object.fromEntries((await cells(query)).map(({ id, properties }) => [id, properties.count]));

  it('is empty without pins', async () => {
    expect(await cells('zoom=0')).to.deep.equal([]);
  });

  it('has the tiles of web maps', async () => {
    // Published examples of tile numbers: Los Angeles, London, Sydney.
    await pins([-118.2437, 34.0522], [-0.1276, 51.5072], [151.2093, -33.8688], [151.2094, -33.8689]);
    expect(await counts('zoom=0')).to.deep.equal({ '0/0/0': 4 });
    expect(await counts('zoom=1')).to.deep.equal({ '1/0/0': 2, '1/1/1': 2 });
    expect(await counts('zoom=10&bbox=-119,34,-118,35')).to.deep.equal({ '10/175/408': 1 });
    expect(await counts('zoom=10&bbox=-1,51,1,52')).to.deep.equal({ '10/511/340': 1 });
    expect(await counts('zoom=12&bbox=151,-34,152,-33')).to.deep.equal({ '12/3768/2457': 2 });
  });

  it('counts every pin exactly once, including those at the edges of the world', async () => {
    const edges: [number, number][] = [-180, -90, 0, 90, 180].flatMap((longitude) =>
      [-90, -86, -45, 0, 45, 86, 90].map((latitude): [number, number] => [longitude, latitude]),
    );
    await pins(...edges);
    for (const query of [
      'zoom=0',
      'zoom=1',
      'zoom=3',
      'zoom=6',
      'zoom=2&bbox=-180,-90,180,90',
      'zoom=1&bbox=0,-90,-1,90',
    ]) {
      const total = (await cells(query)).reduce((sum, { properties }) => sum + properties.count, 0);
      expect(total, query).to.equal(edges.length);
    }
    expect(await counts('zoom=1')).to.deep.equal({ '1/0/0': 8, '1/0/1': 6, '1/1/0': 12, '1/1/1': 9 });
  });

  it('counts in each cell the pins inside its outline', async () => {
    const random = Array.from({ length: 400 }, (_, index): [number, number] => [
      ((index * 137.507) % 360) - 180,
      ((index * 61.803) % 168) - 84,
    ]);
    await pins(...random);
    for (const { geometry, properties } of await cells('zoom=5')) {
      const [[west, south], , [east, north]] = geometry.coordinates[0] as [number, number][] as [
        [number, number],
        [number, number],
        [number, number],
      ];
      const inside = random.filter(
        ([longitude, latitude]) =>
          longitude >= west && longitude < east && latitude >= south && latitude < north,
      );
      expect(inside.length).to.equal(properties.count);
    }
  });

  it('returns the whole cells that a box touches, also across the date line', async () => {
    await pins([179, 10], [-179, 10], [178, 10], [10, 10], [-170, 10], [100, 10]);
    expect(await counts('zoom=4&bbox=179.9,9,-179.9,11')).to.deep.equal({ '4/0/7': 2, '4/15/7': 2 });
    expect(await counts('zoom=4&bbox=9,9,10.1,11')).to.deep.equal({ '4/8/7': 1 });
    expect(await counts('zoom=0&bbox=179,9,-179,11')).to.deep.equal({ '0/0/0': 6 });
    expect(await counts('zoom=2&bbox=10,-10,9,11')).to.deep.equal({ '2/0/1': 2, '2/2/1': 1, '2/3/1': 3 });
  });

  it('counts a pin on an edge once, in the cell east or north of it', async () => {
    const [x, y] = [22.5, 0];
    await pins([x, y], [x, 10], [10, y]);
    expect(await counts('zoom=4&bbox=1,1,2,2')).to.deep.equal({ '4/8/7': 1 });
    expect(await counts('zoom=4&bbox=23,1,24,2')).to.deep.equal({ '4/9/7': 2 });
    expect(await counts('zoom=4&bbox=1,-2,24,-1')).to.deep.equal({});
  });

  it('limits the number of cells', async () => {
    for (const query of ['zoom=6', 'zoom=12&bbox=0.01,0.01,5.61,5.6', 'zoom=7&bbox=0,-89,179.9,-0.1']) {
      expect(await cells(query)).to.deep.equal([]);
    }
    for (const query of ['zoom=7', 'zoom=12', 'zoom=12&bbox=0,0,6,6', 'zoom=12&bbox=179,-90,-179,90']) {
      const { status, body } = await api.get(`/collections/pins/grid?${query}`);
      expect(status, query).to.equal(400);
      expect(body.message).to.match(/^The bbox has more than 4096 cells/);
    }
  });

  for (const query of [
    '',
    'zoom=',
    'zoom=-1',
    'zoom=13',
    'zoom=1.5',
    'zoom=x',
    'zoom=1e400',
    'zoom=1&bbox=1,2',
    'zoom=1&limit=1',
  ]) {
    it(`returns 400 for ?${query}`, async () => {
      expect((await api.get(`/collections/pins/grid?${query}`)).status).to.equal(400);
    });
  }
});
