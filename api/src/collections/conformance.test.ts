import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

type Link = { rel: string; type: string; href: string };
type Parameter = {
  name: string;
  in: string;
  required: boolean;
  style: string;
  explode: boolean;
  schema: Record<string, unknown> & { items?: object };
};
type Feature = {
  geometry: { coordinates: [number, number] };
  properties: { visit_date?: string; placement_year?: number | null };
};

/**
 * The requirements of OGC API – Features – Part 1: Core 1.0.1 (OGC 17-069r4) in the classes that /conformance declares:
 * Core, GeoJSON and OpenAPI 3.0. OGC's own test suite is run by hand: tests/ogc/README.md.
 */
describe('OGC API – Features', () => {
  const api = useApi();
  beforeEach(async () => {
    await api.database.db('pin').insert(
      Array.from({ length: 25 }, (_, number) => ({
        longitude: number * 15 - 180,
        latitude: number * 7 - 85,
        country: 'Oz',
        state: null,
        city: `Town ${number}`,
        visited_at: new Date(Date.UTC(2026, 5, number + 1)),
      })),
    );
    await api.database.db('animal').insert([
      { name: 'Rosie', longitude: -117, latitude: 33, location_name: 'Bay', placement_year: 2013 },
      { name: 'Kelp', longitude: -118, latitude: 34, location_name: 'Bay', placement_year: null },
    ]);
  });

  const read = async (path: string, type = 'application/json') => {
    const { status, headers, body } = await api.call('GET', path, { headers: { accept: type } });
    expect(status, path).to.equal(200);
    expect(headers.get('content-type')?.startsWith(type), path).to.equal(true);
    return body;
  };
  const geoJson = 'application/geo+json';
  const local = (href: string) => {
    expect(href.startsWith(`${api.address}/`), href).to.equal(true);
    return href.slice(api.address.length);
  };
  const linksOf = ({ links }: { links: Link[] }, rel: string) => links.filter((link) => link.rel === rel);
  const definition = async () => {
    const openapi30 = 'application/vnd.oai.openapi+json;version=3.0';
    const link = linksOf(await read('/'), 'service-desc').find(({ type }) => type === openapi30);
    return read(local(link!.href), openapi30);
  };
  const parameterOf = async (collection: string, name: string): Promise<Parameter> => {
    const { paths } = await definition();
    const { parameters } = paths[`/collections/${collection}/items`].get as { parameters: Parameter[] };
    return parameters.find((parameter) => parameter.name === name)!;
  };
  const collections = ['pins', 'animals'];

  describe('core: documents', () => {
    it('/req/core/root-success: the landing page has the links', async () => {
      const landing = await read('/');
      for (const rel of ['service-desc', 'service-doc', 'conformance', 'data']) {
        const links = linksOf(landing, rel);
        expect(links, rel).not.to.deep.equal([]);
        for (const { href, type } of links) await read(local(href), type);
      }
    });

    it('/req/oas30/oas-definition-1: the API definition is valid OpenAPI 3.0', async () => {
      const validator = new Validator();
      const { valid, errors } = await validator.validate(await definition());
      expect(valid, JSON.stringify(errors)).to.equal(true);
      expect(validator.version).to.equal('3.0');
    });

    it('/req/oas30/oas-impl: it has an absolute URL, and every path and link', async () => {
      const { servers, paths } = await definition();
      expect(servers).to.deep.equal([{ url: api.address }]);
      expect(Object.keys(paths)).to.include.members(
        ['/', '/conformance', '/collections', ...collections.map((id) => `/collections/${id}/items`)].concat(
          collections.map((id) => `/collections/${id}/items/{id}`),
        ),
      );
    });

    it('/req/core/conformance-success: the classes are those of Core, GeoJSON and OpenAPI 3.0', async () => {
      expect((await read('/conformance')).conformsTo).to.deep.equal(
        ['core', 'geojson', 'oas30'].map(
          (name) => `http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/${name}`,
        ),
      );
    });

    it('/req/core/fc-md-success, sfc-md-success: collections describe themselves, their items and extents', async () => {
      const list = await read('/collections');
      expect(linksOf(list, 'self')).to.have.length(1);
      expect(list.collections.map(({ id }: { id: string }) => id)).to.deep.equal(collections);
      for (const collection of list.collections) {
        expect(await read(`/collections/${collection.id}`)).to.deep.equal(collection);
        for (const { href, type } of linksOf(collection, 'items')) await read(local(href), type);
        const [[west, south, east, north]] = collection.extent.spatial.bbox;
        const [[first, last]] = collection.extent.temporal.interval;
        const { features } = await read(`/collections/${collection.id}/items?limit=1000`, geoJson);
        for (const { geometry, properties } of features as Feature[]) {
          const [longitude, latitude] = geometry.coordinates;
          expect(longitude).to.be.within(west, east);
          expect(latitude).to.be.within(south, north);
          const { visit_date, placement_year } = properties;
          const time = visit_date ?? (placement_year ? `${placement_year}-06-01` : undefined);
          if (time !== undefined) expect(Date.parse(time)).to.be.within(Date.parse(first), Date.parse(last));
        }
      }
    });
  });

  describe('core: parameters', () => {
    for (const id of collections) {
      it(`/req/core/fc-bbox-definition, fc-limit-definition, fc-time-definition: ${id}`, async () => {
        const [bbox, limit, datetime] = [
          await parameterOf(id, 'bbox'),
          await parameterOf(id, 'limit'),
          await parameterOf(id, 'datetime'),
        ];
        for (const parameter of [bbox, limit, datetime]) {
          expect(parameter).to.include({ in: 'query', required: false, style: 'form', explode: false });
        }
        expect(bbox.schema).to.include({ type: 'array', minItems: 4, maxItems: 6 });
        expect(bbox.schema.items).to.deep.equal({ type: 'number' });
        expect(limit.schema).to.deep.equal({ type: 'integer', minimum: 1, maximum: 10_000, default: 10 });
        expect(datetime.schema['type']).to.equal('string');
      });

      it(`/req/core/query-param-unknown, query-param-invalid: ${id}`, async () => {
        for (const query of ['unknown=1', 'limit=x', 'limit=0', 'bbox=1,2', 'datetime=x', 'bbox=1,2,3,4,5']) {
          expect((await api.get(`/collections/${id}/items?${query}`)).status, query).to.equal(400);
        }
        const { paths } = await definition();
        expect(paths[`/collections/${id}/items`].get.responses).to.include.keys('200', '400');
      });
    }

    it('/req/core/fc-limit-response: default, number, and a larger one than the maximum', async () => {
      const returned = async (query: string) =>
        (await read(`/collections/pins/items?${query}`, geoJson)).features.length;
      expect(await returned('')).to.equal(10);
      expect(await returned('limit=3')).to.equal(3);
      expect(await returned('limit=10001')).to.equal(25);
    });

    it('/req/core/fc-bbox-response: exactly the features that intersect', async () => {
      for (const [bbox, expected] of [
        [[-60, -90, 60, 90], (longitude: number) => Math.abs(longitude) <= 60],
        [[150, -90, -150, 90], (longitude: number) => Math.abs(longitude) >= 150],
      ] as const) {
        const { features } = await read(`/collections/pins/items?limit=100&bbox=${bbox.join(',')}`, geoJson);
        const longitudes = Array.from({ length: 25 }, (_, number) => number * 15 - 180);
        expect((features as Feature[]).map(({ geometry }) => geometry.coordinates[0])).to.deep.equal(
          longitudes.filter(expected),
        );
      }
    });

    it('/req/core/fc-time-response: exactly the features that intersect, and those without a time', async () => {
      const ids = async (id: string, datetime: string) =>
        (await read(`/collections/${id}/items?limit=100&datetime=${datetime}`, geoJson)).features.map(
          (feature: { id: number }) => feature.id,
        );
      expect(await ids('pins', '2026-06-03/2026-06-05')).to.deep.equal([3, 4, 5]);
      expect(await ids('pins', '2026-06-24T00:00:00Z/..')).to.deep.equal([24, 25]);
      expect(await ids('pins', '../2026-06-01')).to.deep.equal([1]);
      expect(await ids('animals', '1950-01-01')).to.deep.equal([2]);
      expect(await ids('animals', '2013-05-05')).to.deep.equal([1, 2]);
    });
  });

  describe('core: features', () => {
    for (const id of collections) {
      it(`/req/core/fc-links, fc-timeStamp, fc-numberMatched, fc-numberReturned: ${id}`, async () => {
        let path = `/collections/${id}/items?limit=1`;
        const total = (await read(path, geoJson)).numberMatched;
        let count = 0;
        for (; path !== ''; count++) {
          const page = await read(path, geoJson);
          expect(page.type).to.equal('FeatureCollection');
          expect(page.numberReturned).to.equal(page.features.length);
          expect(page.numberMatched).to.equal(total);
          expect(Date.parse(page.timeStamp)).to.be.closeTo(Date.now(), 600_000);
          expect(linksOf(page, 'self')[0]).to.deep.include({ type: geoJson, href: api.address + path });
          for (const { href, type } of linksOf(page, 'alternate')) await read(local(href), type);
          path = local(linksOf(page, 'next')[0]?.href ?? `${api.address}/`).replace(/^\/$/, '');
        }
        expect(count).to.equal(total);
      });

      it(`/req/core/f-success, f-links, /req/geojson/content: ${id}`, async () => {
        const [listed] = (await read(`/collections/${id}/items`, geoJson)).features;
        const feature = await read(`/collections/${id}/items/${listed.id}`, geoJson);
        expect(feature).to.deep.include(listed);
        expect(feature).to.include({ type: 'Feature' });
        expect(linksOf(feature, 'self')[0]!.href).to.equal(
          `${api.address}/collections/${id}/items/${listed.id}`,
        );
        expect(linksOf(feature, 'collection')[0]!.href).to.equal(`${api.address}/collections/${id}`);
        const [longitude, latitude] = feature.geometry.coordinates;
        expect(longitude).to.be.within(-180, 180);
        expect(latitude).to.be.within(-90, 90);
      });
    }

    it('/req/core/http: an unknown collection, feature or path is a 404, another method a 405', async () => {
      for (const path of [
        '/collections/none',
        '/collections/none/items',
        '/collections/pins/items/99999',
        '/none',
      ]) {
        expect((await api.get(path)).status, path).to.equal(404);
      }
      expect((await api.call('POST', '/collections/pins/items', { body: {} })).status).to.equal(405);
    });
  });
});
