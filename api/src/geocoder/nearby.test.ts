import { expect } from 'chai';
import KDBush from 'kdbush';
import { sequence } from '../testing/sequence.ts';
import { kilometres, nearby, type Point } from './nearby.ts';

/** Prepares an index of points, with the same reach in metres for all. */
function indexOf(points: Point[]) {
  const index = new KDBush(points.length);
  for (const { longitude, latitude } of points) index.add(longitude, latitude);
  index.finish();
  // The index sorts its points. Their numbers are their positions after that, as in the data of the geocoder.
  index.ids.forEach((_id, position) => (index.ids[position] = position));
  return nearby({ indexes: [index], reachOf: new Uint16Array(points.length).fill(1_000) });
}

describe('nearby', () => {
  const [north, nearerPole] = [
    { latitude: 85, longitude: 10 },
    { latitude: 87, longitude: 62 },
  ];
  const south = ({ latitude, longitude }: Point): Point => ({ latitude: -latitude, longitude });
  const cases: [name: string, from: Point, place: Point][] = [
    [
      'across the 180th meridian, to the east',
      { latitude: -17, longitude: 179.9 },
      { latitude: -17, longitude: -179.8 },
    ],
    [
      'across the 180th meridian, to the west',
      { latitude: 52, longitude: -179.9 },
      { latitude: 52, longitude: 179.8 },
    ],
    // Closer to a pole, the same distance is more degrees of longitude.
    ['closer to the North Pole', north, nearerPole],
    ['closer to the South Pole', south(north), south(nearerPole)],
  ];
  for (const [name, from, place] of cases) {
    it(`finds a place ${name}`, () => {
      const km = kilometres(from, place);
      const { nearest, foremost } = indexOf([place]);
      expect(nearest(from, km + 0.01)?.km).to.be.closeTo(km, 1e-9);
      expect(foremost(from, km + 0.01, () => true)).to.equal(0);
      expect(nearest(from, km - 0.01)).to.equal(undefined);
    });
  }

  it('finds the nearest of many places, wherever they are', () => {
    const next = sequence(3);
    const anywhere = (): Point => ({ latitude: next() * 178 - 89, longitude: next() * 360 - 180 });
    const places = Array.from({ length: 2_000 }, anywhere);
    const { nearest } = indexOf(places);
    for (let turn = 0; turn < 300; turn++) {
      const from = anywhere();
      const least = Math.min(...places.map((place) => kilometres(from, place)));
      expect(nearest(from, 20_000)?.km, JSON.stringify(from)).to.be.closeTo(least, 1e-9);
    }
  });
});
