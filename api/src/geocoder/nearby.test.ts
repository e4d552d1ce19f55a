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
  // A place that is 77 km north-east is farther east, in degrees, than a box at the point's own latitude would reach.
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
    ['closer to the pole', { latitude: 80, longitude: 10 }, { latitude: 80.2, longitude: 13.85 }],
    ['closer to the southern pole', { latitude: -80, longitude: 10 }, { latitude: -80.2, longitude: 13.85 }],
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
