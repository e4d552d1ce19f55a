import { expect } from 'chai';
import { milesFromHome } from './distance.ts';

describe('milesFromHome', () => {
  it('is zero at the rescue centre', () => {
    expect(milesFromHome(33.5729488, -117.7624671)).to.equal(0);
  });

  // A degree of a great circle is 6371 km * pi / 180 = 111.195 km, which is 69.093 miles.
  it('is 69.093 miles per degree along a meridian', () => {
    expect(milesFromHome(34.5729488, -117.7624671)).to.be.closeTo(69.0933, 0.0001);
  });

  it('is half of the circumference to the antipode', () => {
    expect(milesFromHome(-33.5729488, 62.2375329)).to.be.closeTo(Math.PI * 6371 * 0.621371, 0.01);
  });

  it('takes the shorter way across the 180th meridian', () => {
    expect(milesFromHome(33.5729488, 179.9)).to.be.lessThan(milesFromHome(33.5729488, 120));
    expect(milesFromHome(0, 180)).to.equal(milesFromHome(0, -180));
  });

  it('is the same at a pole for every longitude', () => {
    expect(milesFromHome(90, 0)).to.be.closeTo(milesFromHome(90, 123), 1e-9);
    expect(milesFromHome(90, 0)).to.be.closeTo((90 - 33.5729488) * 69.0933, 0.01);
  });
});
