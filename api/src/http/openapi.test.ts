import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from 'chai';
import { declareRoutes } from '../app.ts';
import { useApi } from '../testing/api.ts';

type Response = { headers: Record<string, unknown>; content?: Record<string, { schema: object }> };

type Operation = {
  operationId: string;
  summary: string;
  tags: string[];
  security: object[];
  parameters: { in: string; name: string }[];
  responses: Record<string, Response>;
};

describe('GET /openapi.json', () => {
  const api = useApi();
  const read = async () => (await api.get('/openapi.json')).body;
  const operationsOf = async () =>
    Object.entries<Record<string, Operation>>((await read()).paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, ...operation })),
    );
  const operation = async (wanted: string) => {
    const found = (await operationsOf()).find(({ method, path }) => `${method} ${path}` === wanted);
    return found!;
  };

  it('is valid OpenAPI 3.1, of the version of the release', async () => {
    const validator = new Validator();
    const document = await read();
    expect(document.info).to.include({ version: 'test' });
    const { valid, errors } = await validator.validate(document);
    expect(valid, JSON.stringify(errors)).to.equal(true);
    expect(validator.version).to.equal('3.1');
  });

  it('describes every declared route, with an operation id, a summary and a tag', async () => {
    const declared = declareRoutes(api.dependencies).map(
      ({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`,
    );
    const operations = await operationsOf();
    expect(operations.map(({ method, path }) => `${method} ${path}`)).to.have.members(declared);
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const id of ids) expect(id).to.match(/^(get|post|patch|delete)([A-Z][a-z0-9]*)+$/);
    expect(ids).to.include.members([
      'getLandingPage',
      'getLocations',
      'getQuestionsByQid',
      'patchLocationsById',
    ]);
    const tags = (await read()).tags.map(({ name }: { name: string }) => name);
    for (const { summary, tags: own } of operations) {
      expect(summary).to.match(/^[A-Z].*\.$/);
      expect(own).to.have.length(1);
      expect(tags).to.include(own[0]);
    }
    expect((await operation('delete /api/options/oid/{oid}')).tags).to.deep.equal(['Survey']);
  });

  it('lists the parameters of each path, and the relevant headers', async () => {
    for (const { path, parameters } of await operationsOf()) {
      const named = parameters.filter((one) => one.in === 'path').map((one) => `{${one.name}}`);
      expect(path.match(/\{\w+\}/g) ?? []).to.deep.equal(named);
    }
    const headers = async (wanted: string) =>
      (await operation(wanted)).parameters.filter((one) => one.in === 'header').map(({ name }) => name);
    expect(await headers('post /api/locations')).to.deep.equal(['idempotency-key']);
    expect(await headers('get /api/locations')).to.deep.equal(['If-None-Match']);
  });

  it('describes the input exactly as it is validated', async () => {
    const { paths, components } = await read();
    const bodyOf = (path: string, method: string) => {
      const { $ref, ...schema } = paths[path][method].requestBody.content['application/json'].schema;
      return $ref ? components.schemas[$ref.replace('#/components/schemas/', '')] : schema;
    };
    const { lat } = bodyOf('/api/locations', 'post').properties;
    expect(lat).to.include({ type: 'number', minimum: -90, maximum: 90 });
    expect(bodyOf('/api/locations/{id}', 'patch')).to.deep.include({
      dependentRequired: { lat: ['long'], long: ['lat'] },
      anyOf: [
        { required: ['lat'] },
        { required: ['city'] },
        { required: ['state'] },
        { required: ['country'] },
      ],
    });
    expect(bodyOf('/api/questions', 'post').properties.text).to.include({ minLength: 1, maxLength: 160 });
  });

  it('describes all responses with their media types, and the errors of the contract', async () => {
    const statuses = async (wanted: string) => Object.keys((await operation(wanted)).responses);
    expect(await statuses('get /api/locations')).to.deep.equal(['200', '304', '412', '503']);
    expect(await statuses('get /api/questions/qid/{qid}')).to.deep.equal([
      '200',
      '304',
      '400',
      '404',
      '412',
      '503',
    ]);
    expect(await statuses('post /api/locations')).to.deep.equal([
      '200',
      '400',
      '403',
      '413',
      '415',
      '422',
      '429',
      '503',
    ]);
    expect(await statuses('post /admin/count')).to.deep.equal([
      '200',
      '400',
      '401',
      '403',
      '409',
      '413',
      '415',
      '422',
      '429',
      '503',
    ]);
    expect(await statuses('get /api/snap/location')).to.deep.equal(['410', '412', '503']);
    expect(await statuses('get /api/donation_redirect')).to.deep.equal(['302', '400', '412', '429', '503']);
    const { 200: report } = (await operation('get /api/admin/pin_responses')).responses;
    expect(Object.keys(report!.content!)).to.deep.equal(['application/json', 'text/csv']);
    for (const { responses } of await operationsOf()) {
      for (const [status, { headers, content }] of Object.entries(responses)) {
        expect(headers).to.have.property('X-Request-Id');
        if (Number(status) < 400) continue;
        expect(JSON.stringify(content?.['application/json']?.schema)).to.include(
          '#/components/schemas/Failure',
        );
      }
    }
  });

  it('contains named schemas with examples, and references to them', async () => {
    const { components, paths } = await read();
    expect(Object.keys(components.schemas)).to.include.members([
      'Pin',
      'Pins',
      'Animal',
      'Question',
      'Option',
      'Collection',
      'PinFeature',
      'Done',
      'Failure',
    ]);
    const outputOf = (path: string, type = 'application/json') =>
      paths[path].get.responses['200'].content[type].schema;
    expect(outputOf('/api/locations')).to.deep.equal({ $ref: '#/components/schemas/Pins' });
    expect(components.schemas.Pins.properties.locations.items).to.deep.equal({
      $ref: '#/components/schemas/Pin',
    });
    expect(components.schemas.Pin.examples[0]).to.include({ city: 'Paris' });
    expect(outputOf('/collections/pins/items', 'text/csv')).to.include({ type: 'string' });
    for (const { parameters } of await operationsOf()) {
      for (const { in: place, ...parameter } of parameters) {
        if (place === 'query') expect(parameter).to.include({ style: 'form', explode: false });
      }
    }
  });

  it('contains the authorization of each route', async () => {
    expect((await operation('get /api/locations')).security).to.deep.equal([]);
    expect((await operation('get /api/visitor_response')).security).to.deep.equal([
      { session: [] },
      { token: [] },
    ]);
    expect(Object.keys((await read()).components.securitySchemes)).to.deep.equal(['session', 'token']);
  });

  it('has the URL from which it was read as its server', async () => {
    expect((await read()).servers).to.deep.equal([{ url: '/' }]);
  });
});
