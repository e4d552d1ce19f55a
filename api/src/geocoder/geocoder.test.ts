import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { createGeocoder, type Geocoder, loadPlaces } from './geocoder.ts';
import { packPlaces, type Places, unpackPlaces } from './places.ts';
import { preparePlaces, preparedFile } from './prepare.ts';

const USA = 'United States of America';

const named: [
  what: string,
  latitude: number,
  longitude: number,
  city: string,
  state: string | null,
  country: string,
][] = [
  ['Laguna Beach', 33.5427, -117.7854, 'Laguna Beach', 'California', USA],
  ['a border river’s north', 42.3314, -83.0458, 'Detroit', 'Michigan', USA],
  ['a border river’s south', 42.3149, -83.0364, 'Windsor', null, 'Canada'],
  ['a border’s north', 31.7587, -106.4869, 'El Paso', 'Texas', USA],
  ['a border’s south', 31.7386, -106.487, 'Ciudad Juárez', null, 'Mexico'],
  ['San Diego', 32.7157, -117.1611, 'San Diego', 'California', USA],
  ['Tijuana', 32.5027, -117.0037, 'Tijuana', null, 'Mexico'],
  ['Niagara’s west bank', 43.0896, -79.0849, 'Niagara Falls', null, 'Canada'],
  ['Niagara’s east bank', 43.0945, -79.0567, 'Niagara Falls', 'New York', USA],
  ['Honolulu', 21.3069, -157.8583, 'Honolulu', 'Hawaii', USA],
  ['Anchorage', 61.2181, -149.9003, 'Anchorage', 'Alaska', USA],
  ['the White House', 38.8977, -77.0365, 'Washington', 'District of Columbia', USA],
  ['a district of Paris', 48.8606, 2.3376, 'Paris 01 Louvre', null, 'France'],
  ['one Portland', 45.5152, -122.6784, 'Portland', 'Oregon', USA],
  ['another Portland', 43.6591, -70.2568, 'Portland', 'Maine', USA],
  ['one Springfield', 39.7817, -89.6501, 'Springfield', 'Illinois', USA],
  ['another Springfield', 37.209, -93.2923, 'Springfield', 'Missouri', USA],
  ['a state line’s west', 39.1141, -94.6275, 'Kansas City', 'Kansas', USA],
  ['a state line’s east', 39.0997, -94.5786, 'Kansas City', 'Missouri', USA],
  ['London', 51.5074, -0.1278, 'London', null, 'United Kingdom'],
  ['a state within a city', 41.9029, 12.4534, 'Vatican City', null, 'Vatican City'],
  ['Singapore', 1.29, 103.85, 'Singapore', null, 'Singapore'],
  ['Reykjavík', 64.1466, -21.9426, 'Reykjavík', null, 'Iceland'],
  ['Tokyo', 35.6895, 139.69, 'Tokyo', null, 'Japan'],
  ['Sydney', -33.8688, 151.2093, 'Sydney', null, 'Australia'],
  ['Suva', -18.1416, 178.4419, 'Suva', null, 'Fiji'],
  ['a territory of the USA', 18.4655, -66.1057, 'San Juan', null, 'Puerto Rico'],
  ['another territory of the USA', 13.4757, 144.7489, 'Hagåtña', null, 'Guam'],
  ['overseas France', 4.9224, -52.3135, 'Cayenne', null, 'French Guiana'],
  ['a country without an ISO number', 42.6629, 21.1655, 'Pristina', null, 'Kosovo'],
  ['a part that the outlines have no code for', 9.56, 44.065, 'Hargeysa', null, 'Somalia'],
  ['another such part', 35.3364, 33.3173, 'Kyrenia', null, 'Cyprus'],
  ['an atoll', -8.5211, 179.1962, 'Alapi Village', null, 'Tuvalu'],
  ['a remote island', -37.0675, -12.3111, 'Edinburgh of the Seven Seas', null, 'St. Helena'],
  ['a pier off a coast', 33.607, -117.9305, 'Newport Beach', 'California', USA],
  ['a boat off the loop of Chicago', 41.88, -87.58, 'Chicago Loop', 'Illinois', USA],
];

const unnamed: [what: string, latitude: number, longitude: number, country: string][] = [
  ['the Sahara', 23, 13, 'Niger'],
  ['the ice sheet of Greenland', 75, -40, 'Greenland'],
  ['Chukotka, at the 180th meridian', 67, 180, 'Russia'],
  ['the same seen from the other side', 67, -180, 'Russia'],
  ['Chukotka, beyond it', 66.5, -177, 'Russia'],
  ['Taveuni, at the 180th meridian', -16.8, 180, 'Fiji'],
  ['the south pole', -90, 0, 'Antarctica'],
  ['the south pole by another name', -90, 180, 'Antarctica'],
];

const water: [what: string, latitude: number, longitude: number][] = [
  ['the middle of the Pacific', 0, -150],
  ['the Pacific at the 180th meridian', 30, 180],
  ['the Pacific at the 180th meridian, from the west', 30, -180],
  ['Lake Michigan', 43.5, -87],
  ['Lake Superior', 47.5, -88.5],
  ['the Gulf of Mexico', 25, -90],
  ['the Caspian Sea', 42, 50.5],
  ['the north pole', 90, 0],
  ['the Southern Ocean', -60, 0],
];

/** They are wrong, and known to be: whoever mends one takes it out here. */
const knownMisses: [what: string, latitude: number, longitude: number, country: string][] = [
  ['Lake Victoria', -1, 33, 'Uganda'],
  ['Lake Tahoe', 39.1, -120.03, USA],
  ['the Salton Sea', 33.3, -115.85, USA],
];

describe('geocoder', () => {
  let places: Places;
  let geocoder: Geocoder;

  before(async function () {
    this.timeout(60_000); // the first time it is made from the npm packages
    places = unpackPlaces(await readFile(await preparedFile()));
    geocoder = createGeocoder(places);
  });

  for (const [what, latitude, longitude, city, state, country] of named) {
    it(`names ${what}: ${city}, ${country}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.deep.equal({ city, state, country });
    });
  }

  for (const [what, latitude, longitude, country] of unnamed) {
    it(`names no city within 50 km of ${what}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.deep.equal({ city: null, state: null, country });
    });
  }

  for (const [what, latitude, longitude] of water) {
    it(`finds water at ${what}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.equal(null);
    });
  }

  for (const [what, latitude, longitude, country] of knownMisses) {
    it(`takes ${what} for land, as is known`, () => {
      expect(geocoder.locate(latitude, longitude)?.country).to.equal(country);
    });
  }

  it('finds every place of the gazetteer in its own country and state', function () {
    this.timeout(60_000);
    const { coords } = places.index;
    const astray = places.names.filter((_, i) => {
      const { country, state } = places.regions[places.regionOf[i]!]!;
      const found = geocoder.locate(coords[2 * i + 1]!, coords[2 * i]!);
      return found?.country !== country || found.state !== state;
    });
    expect(places.names).to.have.length.above(170_000);
    expect(astray).to.deep.equal([]);
  });

  it('knows the fifty states and the District of Columbia, by their full names', () => {
    const states = places.regions.filter(({ state }) => state !== null);
    expect(states).to.have.length(51);
    expect(new Set(states.map(({ country }) => country))).to.deep.equal(new Set([USA]));
  });

  it('loads in well under a second and answers in well under a millisecond', async function () {
    this.timeout(30_000);
    const start = performance.now();
    createGeocoder(await loadPlaces());
    const loaded = performance.now();
    const lookUps = 5000;
    // The fractional parts of i times an irrational number spread evenly over the globe.
    for (let i = 0; i < lookUps; i++) {
      geocoder.locate(((i * Math.SQRT2) % 1) * 140 - 60, ((i * Math.E) % 1) * 360 - 180);
    }
    const each = (performance.now() - loaded) / lookUps;
    console.log(
      `      loaded in ${(loaded - start).toFixed(0)} ms, ${(each * 1000).toFixed(0)} µs a look-up`,
    );
    expect(loaded - start).to.be.below(800);
    expect(each).to.be.below(0.5);
  });
});

describe('the geocoder’s data', () => {
  it('comes out the same from the same packages @slow', async function () {
    this.timeout(60_000);
    expect(packPlaces(preparePlaces()).equals(await readFile(await preparedFile()))).to.equal(true);
  });

  it('comes out whole for two that ask at the same time @slow', async function () {
    this.timeout(60_000);
    const folder = await mkdtemp(join(tmpdir(), 'map-app-places-'));
    try {
      const [first, second] = await Promise.all([preparedFile(folder), preparedFile(folder)]);
      expect(second).to.equal(first);
      expect(await readdir(folder)).to.deep.equal([basename(first)]);
      expect((await readFile(first)).equals(await readFile(await preparedFile()))).to.equal(true);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
