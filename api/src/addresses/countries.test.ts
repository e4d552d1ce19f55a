import { expect } from 'chai';
import { createCountryFinder } from './countries.ts';
import { addressFile } from './load.ts';

describe('createCountryFinder', function () {
  this.timeout(60_000);
  const find = createCountryFinder(addressFile);
  before(() => addressFile()); // build the file before a test waits for it

  const usual: Record<string, string[]> = {
    'United States of America': [
      'US',
      'us',
      'USA',
      'U.S.A.',
      'United States',
      'Estados Unidos',
      'Vereinigte Staaten',
    ],
    Germany: ['Germany', 'germany', 'DE', 'DEU', 'Deutschland', 'Allemagne'],
    'United Kingdom': ['GB', 'UK', 'GBR', 'Great Britain'],
    Canada: ['CA', 'Kanada'],
    France: ['FR', 'Frankreich'],
    China: ['CN', 'PRC'],
    Netherlands: ['Holland', 'The Netherlands', 'Niederlande'],
    Czechia: ['Czech Republic', 'Tschechien'],
    'Côte d’Ivoire': ['Ivory Coast', "Cote d'Ivoire"],
    Türkiye: ['Turkey', 'TR'],
    'Myanmar (Burma)': ['Burma', 'Myanmar'],
    'Puerto Rico': ['PR', 'Puerto Rico'],
    Georgia: ['Georgia', 'GE'],
    'South Korea': ['South Korea', 'Republic of Korea', 'KR'],
  };
  for (const [name, written] of Object.entries(usual)) {
    it(`finds ${name} by ${written.join(', ')}`, async () => {
      for (const each of [name, ...written]) expect(await find(each), each).to.deep.equal([name]);
    });
  }

  it('returns all countries that share a name', async () => {
    expect(await find('Korea')).to.have.members(['South Korea', 'North Korea']);
    expect(await find('Congo')).to.have.members(['Congo - Kinshasa', 'Congo - Brazzaville']);
  });

  it('finds nothing for other names and for states', async () => {
    for (const unknown of ['Atlantis', 'California', 'XX', 'Untied States', '?', ''])
      expect(await find(unknown), unknown).to.deep.equal([]);
  });
});
