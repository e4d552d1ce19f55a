import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { kilometres } from '../geocoder/nearby.ts';
import { memoryLog } from '../testing/log.ts';
import { useService } from '../testing/service.ts';
import type { FindAddress } from './find.ts';
import { createGazetteer } from './gazetteer.ts';
import { keyOf } from './keys.ts';
import { addressFile } from './load.ts';
import { askRemote } from './remote.ts';

const refusal = async (find: FindAddress, address: string): Promise<{ status: number; message: string }> => {
  try {
    await find(address);
  } catch (error) {
    return error as { status: number; message: string };
  }
  throw new Error(`${address} was found.`);
};

describe('the gazetteer', () => {
  let find: FindAddress;
  before(async function () {
    this.timeout(120_000); // the first run builds the data from the npm packages
    find = createGazetteer(addressFile);
    await find('Irvine, CA');
  });

  const california = 'California, United States of America';
  const known: [address: string, name: string, lat: number, long: number][] = [
    ['Laguna Beach, CA', `Laguna Beach, ${california}`, 33.54, -117.78],
    ['laguna beach,california', `Laguna Beach, ${california}`, 33.54, -117.78],
    [
      '8612 Laguna Canyon Road, Laguna Beach, CA 92651-1234, U.S.A.',
      `Laguna Beach, ${california}`,
      33.54,
      -117.78,
    ],
    ['Los Ángeles, ca', `Los Angeles, ${california}`, 34.05, -118.24],
    ['Oklahoma City', 'Oklahoma City, Oklahoma, United States of America', 35.47, -97.52],
    ['Paris, France', 'Paris, Île-de-France, France', 48.85, 2.35],
    ['75001 Paris, France', 'Paris, Île-de-France, France', 48.85, 2.35],
    ['New York, NY', 'New York City, New York, United States of America', 40.71, -74.01],
    ['Springfield, IL', 'Springfield, Illinois, United States of America', 39.8, -89.64],
    ['Sao Paulo, Brazil', 'São Paulo, São Paulo, Brazil', -23.55, -46.64],
    ['Tbilisi, Georgia', 'Tbilisi, Tbilisi, Georgia', 41.69, 44.83],
    ['Atlanta, Georgia', 'Atlanta, Georgia, United States of America', 33.75, -84.39],
    ['London, UK', 'London, England, United Kingdom', 51.51, -0.13],
  ];
  for (const [address, name, lat, long] of known) {
    it(`finds ${address}`, async () => {
      const found = await find(address);
      expect(found.name).to.equal(name);
      expect(found.lat).to.be.closeTo(lat, 0.01);
      expect(found.long).to.be.closeTo(long, 0.01);
    });
  }

  for (const address of [
    'Nowhere at All',
    'Laguna Beach, Narnia',
    'Paris, CA, France',
    'France',
    ',',
    '92651',
    '\0',
  ]) {
    it(`does not find ${JSON.stringify(address)}`, async () => {
      const { status, message } = await refusal(find, address);
      expect(status).to.equal(422);
      expect(message).to.match(/^This address is not found/);
    });
  }

  it('lists the candidates instead of guessing when several places share a name', async () => {
    const { status, message } = await refusal(find, 'Springfield');
    expect(status).to.equal(422);
    expect(message).to.match(
      /^There are several places of this name: .*"Springfield, .*; Springfield, .*"\.$/,
    );
  });

  it('finds or refuses addresses as people write them (addresses.tsv)', async function () {
    this.timeout(60_000);
    const lines = readFileSync(new URL('addresses.tsv', import.meta.url), 'utf8')
      .trim()
      .split('\n')
      .slice(1);
    const wrong: string[] = [];
    for (const [address = '', latitude, longitude] of lines.map((line) => line.split('\t'))) {
      const found = await find(address).catch(({ message }: Error) => message);
      const isFound = typeof found !== 'string';
      const isRight = latitude
        ? isFound &&
          kilometres(
            { latitude: found.lat, longitude: found.long },
            { latitude: Number(latitude), longitude: Number(longitude) },
          ) < 20
        : !isFound;
      if (!isRight) wrong.push(`${address} → ${isFound ? found.name : found}`);
    }
    expect(lines).to.have.length.above(300);
    expect(wrong).to.deep.equal([]);
  });

  it('lists the candidates if an earlier part is a place elsewhere', async () => {
    const { message } = await refusal(find, 'Chicago, New York');
    expect(message).to.match(/"New York City, New York, .*; Chicago, Illinois, /);
  });
});

describe('keyOf', () => {
  for (const [one, other] of [
    ['St. Louis', 'saint louis'],
    ['St.Louis', 'St Louis'],
    ['Washington, D.C.', 'washington dc'],
    ["Coeur d'Alene", 'Coeur d’Alene'],
    ['Łódź', 'Lodz'],
    ['The Hague', 'Hague'],
    ['Winston-Salem', 'winston salem'],
    ['N. Las Vegas', 'North Las Vegas'],
  ] as const) {
    it(`treats "${one}" and "${other}" as equal`, () => expect(keyOf(one)).to.equal(keyOf(other)));
  }

  it('keeps letters that distinguish names', () => expect(keyOf('Mainz')).not.to.equal(keyOf('Main')));
});

describe('a remote geocoder', () => {
  const service = useService();
  const log = memoryLog();
  const find: FindAddress = (address) =>
    askRemote({ url: `${service.url}/v1/json?language=en`, key: 'secret key' }, log)(address);
  const answer = (body: unknown, status = 200) => {
    service.answer = (_request, response) => response.writeHead(status).end(JSON.stringify(body));
  };
  beforeEach(() => {
    log.entries.length = 0;
  });

  it('may respond in the format of OpenCage', async () => {
    answer({
      results: [{ formatted: 'Paris, France', geometry: { lat: 48.85, lng: 2.35 }, confidence: 1 }],
      status: {},
    });
    expect(await find('Paris & host=evil?#')).to.deep.equal({
      lat: 48.85,
      long: 2.35,
      name: 'Paris, France',
    });
    const asked = new URL(service.asked[0] ?? '', service.url);
    expect(asked.pathname).to.equal('/v1/json');
    expect(Object.fromEntries(asked.searchParams)).to.include({
      language: 'en',
      q: 'Paris & host=evil?#',
      key: 'secret key',
      limit: '1',
    });
  });

  it('may respond in the format of Nominatim', async () => {
    answer([{ lat: '48.85', lon: '2.35', display_name: 'Paris, France', place_id: 1 }]);
    expect(await find('Paris')).to.deep.equal({ lat: 48.85, long: 2.35, name: 'Paris, France' });
  });

  it('leads to 422 if it finds nothing', async () => {
    for (const nothing of [[], { results: [] }]) {
      answer(nothing);
      expect((await refusal(find, 'Nowhere')).status).to.equal(422);
    }
    expect(log.entries).to.deep.equal([]);
  });

  it('leads to 503 if it fails, and logs the cause without the key', async () => {
    const failures: [unknown, number?][] = [
      [{ status: { code: 401, message: 'invalid key secret key' } }, 401],
      [{}, 500],
      [{ results: [{ formatted: 'Nowhere', geometry: { lat: 91, lng: 0 } }] }],
      [[{ lat: 'x', lon: '0', display_name: '' }]],
      ['<html>'],
      [{ results: 'x'.repeat(300_000) }],
    ];
    for (const [body, status] of failures) {
      answer(body, status);
      const { status: refused, message } = await refusal(find, 'Paris');
      expect(refused).to.equal(503);
      expect(message).to.match(/^Addresses cannot be looked up/);
    }
    expect(log.entries).to.have.length(failures.length);
    expect(JSON.stringify(log.entries)).not.to.include('secret').and.not.to.include('Paris');
  });

  it('leads to 503 if it does not respond within 5 s @slow', async function () {
    this.timeout(8_000);
    service.answer = () => undefined;
    expect((await refusal(find, 'Paris')).status).to.equal(503);
    expect(log.entries).to.deep.equal([
      {
        level: 'warn',
        message: 'addresses cannot be looked up',
        cause: 'it cannot be reached (no response within 5 s)',
      },
    ]);
  });
});
