import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { createGeocoder, type Geocoder, loadPlaces, wrapped } from './geocoder.ts';
import { type Places, pointOf, unpackPlaces } from './places.ts';
import { preparedFile } from './prepare.ts';

const usa = 'United States of America';

const named: [
  what: string,
  latitude: number,
  longitude: number,
  city: string,
  state: string | null,
  country: string,
][] = [
  ['Laguna Beach', 33.5427, -117.7854, 'Laguna Beach', 'California', usa],
  ['a border river’s north', 42.3314, -83.0458, 'Detroit', 'Michigan', usa],
  ['a border river’s south', 42.3149, -83.0364, 'Windsor', 'Ontario', 'Canada'],
  ['a border’s north', 31.7587, -106.4869, 'El Paso', 'Texas', usa],
  ['a border’s south', 31.7386, -106.487, 'Ciudad Juárez', 'Chihuahua', 'Mexico'],
  ['San Diego', 32.7157, -117.1611, 'San Diego', 'California', usa],
  ['Tijuana', 32.5027, -117.0037, 'Tijuana', 'Baja California', 'Mexico'],
  ['Niagara’s west bank', 43.0896, -79.0849, 'Niagara Falls', 'Ontario', 'Canada'],
  ['Niagara’s east bank', 43.0945, -79.0567, 'Niagara Falls', 'New York', usa],
  ['Honolulu', 21.3069, -157.8583, 'Honolulu', 'Hawaii', usa],
  ['Anchorage', 61.2181, -149.9003, 'Anchorage', 'Alaska', usa],
  ['the White House', 38.8977, -77.0365, 'Washington', 'District of Columbia', usa],
  ['a district of Paris', 48.8606, 2.3376, 'Paris', 'Île-de-France', 'France'],
  ['one Portland', 45.5152, -122.6784, 'Portland', 'Oregon', usa],
  ['another Portland', 43.6591, -70.2568, 'Portland', 'Maine', usa],
  ['one Springfield', 39.7817, -89.6501, 'Springfield', 'Illinois', usa],
  ['another Springfield', 37.209, -93.2923, 'Springfield', 'Missouri', usa],
  ['a state line’s west', 39.1141, -94.6275, 'Kansas City', 'Kansas', usa],
  ['a state line’s east', 39.0997, -94.5786, 'Kansas City', 'Missouri', usa],
  ['London', 51.5074, -0.1278, 'London', 'England', 'United Kingdom'],
  ['a state within a city', 41.9029, 12.4534, 'Vatican City', null, 'Vatican City'],
  ['Singapore', 1.29, 103.85, 'Singapore', null, 'Singapore'],
  ['Reykjavík', 64.1466, -21.9426, 'Reykjavík', 'Capital Region', 'Iceland'],
  ['Tokyo', 35.6895, 139.69, 'Tokyo', 'Tokyo', 'Japan'],
  ['Sydney', -33.8688, 151.2093, 'Sydney', 'New South Wales', 'Australia'],
  ['Suva', -18.1416, 178.4419, 'Suva', 'Central', 'Fiji'],
  ['a territory of the USA', 18.4655, -66.1057, 'San Juan', 'San Juan', 'Puerto Rico'],
  ['another territory of the USA', 13.4757, 144.7489, 'Hagåtña', 'Hagatna', 'Guam'],
  ['overseas France', 4.9224, -52.3135, 'Cayenne', 'Guyane', 'French Guiana'],
  ['a country without an ISO number', 42.6629, 21.1655, 'Pristina', 'Pristina', 'Kosovo'],
  [
    'a part of a country that the outlines have no code for',
    9.56,
    44.065,
    'Hargeysa',
    'Woqooyi Galbeed',
    'Somalia',
  ],
  ['another part that the outlines have no code for', 35.3364, 33.3173, 'Kyrenia', 'Keryneia', 'Cyprus'],
  ['an atoll', -8.5211, 179.1962, 'Funafuti', 'Funafuti', 'Tuvalu'],
  ['a remote island', -37.0675, -12.3111, 'Edinburgh of the Seven Seas', 'Tristan da Cunha', 'St. Helena'],
  ['a pier off a coast', 33.607, -117.9305, 'Newport Beach', 'California', usa],
];

const unnamed: [what: string, latitude: number, longitude: number, state: string | null, country: string][] =
  [
    ['the Sahara', 23, 13, 'Agadez', 'Niger'],
    ['the ice sheet of Greenland', 75, -40, null, 'Greenland'],
    ['Chukotka, at the 180th meridian', 67, 180, 'Chukotka', 'Russia'],
    ['the same point from the other side', 67, -180, 'Chukotka', 'Russia'],
    ['Chukotka, beyond the meridian', 66.5, -177, 'Chukotka', 'Russia'],
    ['Taveuni, at the 180th meridian', -16.8, 180, 'Northern', 'Fiji'],
    ['the South Pole', -90, 0, null, 'Antarctica'],
    ['the South Pole at another longitude', -90, 180, null, 'Antarctica'],
  ];

const water: [what: string, latitude: number, longitude: number][] = [
  ['the middle of the Pacific', 0, -150],
  ['the Pacific at the 180th meridian', 30, 180],
  ['the Pacific at the 180th meridian, from the west', 30, -180],
  ['Lake Michigan', 43.5, -87],
  ['Lake Michigan, 3 km off Chicago', 41.88, -87.58],
  ['Lake Superior', 47.5, -88.5],
  ['the Canadian part of Lake Ontario', 43.7, -78],
  ['Lake Victoria', -1, 33],
  ['Lake Tahoe', 39.1, -120.03],
  ['the Salton Sea', 33.3, -115.85],
  ['Lake Geneva', 46.45, 6.55],
  ['the Gulf of Mexico', 25, -90],
  ['the Caspian Sea', 42, 50.5],
  ['the North Pole', 90, 0],
  ['the Southern Ocean', -60, 0],
];

describe('geocoder', () => {
  let places: Places;
  let geocoder: Geocoder;

  before(async function () {
    this.timeout(120_000); // the first run builds the data from the npm packages
    places = unpackPlaces(await readFile(await preparedFile()));
    geocoder = createGeocoder(places);
  });

  for (const [what, latitude, longitude, city, state, country] of named) {
    it(`names ${what}: ${city}, ${country}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.deep.equal({ city, state, country });
    });
  }

  for (const [what, latitude, longitude, state, country] of unnamed) {
    it(`names no city within 50 km of ${what}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.deep.equal({ city: null, state, country });
    });
  }

  for (const [what, latitude, longitude] of water) {
    it(`finds water at ${what}`, () => {
      expect(geocoder.locate(latitude, longitude)).to.equal(null);
    });
  }

  it('extends the coast by 1.5 km, and no further where no place is near', () => {
    // The south-west corner of San Nicolas Island: no place lies within 50 km.
    const coast = { latitude: 33.2175, longitude: -119.48 };
    const south = (km: number) => geocoder.locate(coast.latitude - km / 111.2, coast.longitude);
    expect(south(0)?.state).to.equal('California');
    expect(south(1)?.state).to.equal('California');
    expect(south(3)).to.equal(null);
  });

  it('wraps longitudes', () => {
    const sydney = geocoder.locate(-33.8688, 151.2093);
    for (const turn of [360, -360, 720]) {
      expect(geocoder.locate(-33.8688, 151.2093 + turn)).to.deep.equal(sydney);
    }
    expect([-180, 180, 181, 540, -181, 360, 179.5].map(wrapped)).to.deep.equal([
      -180, -180, -179, -180, 179, 0, 179.5,
    ]);
  });

  it('finds every place of the gazetteer in its own country and region', function () {
    this.timeout(60_000);
    const astray = places.names.filter((_, place) => {
      const { latitude, longitude } = pointOf(places, place);
      const { country, state } = places.regions[places.regionOf[place]!]!;
      const found = geocoder.locate(latitude, longitude);
      return found?.country !== country || (state !== null && found.state !== state);
    });
    expect(places.names).to.have.length.above(200_000);
    // Some places share a point but lie in two countries or regions.
    expect(astray.length).to.be.below(100);
  });

  it('has the fifty states and the District of Columbia, by their full names', () => {
    const states = places.regions.filter(({ country, state }) => country === usa && state !== null);
    expect(states).to.have.length(51);
  });

  it('has a region for nearly every place', () => {
    const without = places.regionOf.filter((number) => places.regions[number]!.state === null);
    expect(without.length).to.be.below(300);
  });

  it('loads in well under a second and locates in well under a millisecond', async function () {
    this.timeout(30_000);
    const start = performance.now();
    createGeocoder(await loadPlaces());
    const loaded = performance.now();
    const lookUps = 5000;
    // The fractional parts of i times an irrational number are evenly distributed over the globe.
    for (let i = 0; i < lookUps; i++) {
      geocoder.locate(((i * Math.SQRT2) % 1) * 140 - 60, ((i * Math.E) % 1) * 360 - 180);
    }
    const each = (performance.now() - loaded) / lookUps;
    console.log(
      `      loaded in ${(loaded - start).toFixed(0)} ms, ${(each * 1000).toFixed(0)} µs per lookup`,
    );
    expect(loaded - start).to.be.below(800);
    expect(each).to.be.below(0.5);
  });
});

describe('the geocoder’s data', () => {
  it('is complete and identical for two concurrent callers @slow', async function () {
    this.timeout(180_000);
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
