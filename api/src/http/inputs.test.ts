import { expect } from 'chai';
import { declaredRoutes } from '../declared.ts';
import { useApi, type Calls } from '../testing/api.ts';
import { accepts, numbersFor, rulesOf, sampleOf, textsFor, type Rules } from '../testing/inputs.ts';
import { keyHeader } from './idempotency.ts';
import type { Route } from './route.ts';
import { isOptional } from './validation.ts';

/** The content of these fields is validated, too: a value that matches the schema may still be rejected. */
const judgedByContent = new Set(['animal_images', 'credential']);

/** Raw JSON text, for values that JSON.stringify would change. */
class Json {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const stringify = (body: Record<string, unknown>) =>
  `{${Object.entries(body)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${JSON.stringify(name)}:${value instanceof Json ? value.text : JSON.stringify(value)}`,
    )
    .join(',')}}`;

describe('the input of every route', () => {
  // Geocoding takes a while, and its result does not matter here.
  const api = useApi(() => ({
    findAddress: async () => ({ lat: 1, long: 1, name: 'Somewhere' }),
    mailer: async () => undefined,
  }));

  const stored = async () => {
    const tables = [
      'pin',
      'animal',
      'picture',
      'city_picture',
      'question',
      'option',
      'visitor_response',
    ].concat('donation_visit', 'idempotency', 'count', 'staff', 'session');
    const parts = tables.map(
      (table) => `(select md5(string_agg(t::text, '' order by t::text)) from "${table}" t)`,
    );
    const { rows } = await api.database.db.raw(`select row(${parts.join(', ')})::text as all`);
    return rows[0].all as string;
  };
  const caller = ({ access }: Route): Calls => (access === 'staff' ? api.staff : api);

  type Input = {
    params?: Record<string, unknown>;
    query?: string;
    body?: unknown;
    headers?: Record<string, string>;
  };

  const send = (route: Route, { params, query = '', body, headers = {} }: Input) => {
    const good = route.input?.params ? sampleOf(rulesOf(route.input.params)) : {};
    const path = route.path.replace(/:(\w+)/g, (_, name: string) => {
      const value = params?.[name] ?? good[name];
      return value instanceof Json ? value.text : encodeURIComponent(String(value));
    });
    const needed = !query && route.input?.query ? queryOf(goodQuery(rulesOf(route.input.query))) : query;
    const given = body === undefined && route.input?.body ? sampleOf(rulesOf(route.input.body)) : body;
    return caller(route).call(route.method.toUpperCase(), path + needed, {
      ...(given !== undefined && { body: given }),
      headers,
    });
  };
  /** An `after` of an unsorted page cannot continue a sorted one. */
  const goodQuery = (rules: Rules, name = '') => {
    const { sortby, after, ...good } = sampleOf(rules);
    if (name === 'sortby') return { ...good, sortby };
    return { ...good, ...(after !== undefined && { after }) };
  };
  const queryOf = (values: Record<string, unknown>) =>
    `?${Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(
        ([name, value]) =>
          `${name}=${value instanceof Json ? value.text : encodeURIComponent(String(value))}`,
      )
      .join('&')}`;

  const refused = async (route: Route, input: Input, what: string, status = 400) => {
    const answer = await send(route, input);
    expect(answer.status, `${what}: ${JSON.stringify(answer.body)}`).to.equal(status);
    expect(answer.body).to.have.all.keys('success', 'message');
    expect(answer.body.message)
      .to.match(/^[^\n]{5,400}\.$/)
      .and.not.match(
        /\bat \S+:\d|node_modules|\.[jt]s\b|Error:|\b(select|insert|update|delete) .*\b(from|into|set)\b|syntax|\$\d/i,
      );
  };
  const taken = async (route: Route, input: Input, what: string) => {
    const { status, body } = await send(route, input);
    expect(status, `${what}: ${JSON.stringify(body)}`).not.to.equal(400);
    expect(status, what).to.be.lessThan(500);
  };

  /** Runs the invalid cases first, so that every stored row comes from a valid one. */
  const runCases = async (route: Route, cases: { what: string; input: Input; isGood: boolean | null }[]) => {
    const before = await stored();
    for (const { what, input } of cases.filter(({ isGood }) => isGood === false))
      await refused(route, input, what);
    expect(await stored()).to.equal(before);
    for (const { what, input } of cases.filter(({ isGood }) => isGood)) await taken(route, input, what);
    expect(cases.filter(({ isGood }) => isGood === false).length).to.be.greaterThan(0);
  };
  const short = (value: unknown) => (value instanceof Json ? value.text : JSON.stringify(value)).slice(0, 40);

  for (const route of declaredRoutes) {
    const { method, path, input = {} } = route;
    describe(`${method} ${path}`, () => {
      const { params, query, body } = input;
      if (params) {
        for (const name of Object.keys(rulesOf(params).fields)) {
          it(`validates ${name} in its path by the schema`, () => pathCases(route, name, rulesOf(params)));
        }
      }
      if (query) {
        for (const name of Object.keys(rulesOf(query).fields)) {
          it(`validates the parameter ${name} by the schema`, () => queryCases(route, name, rulesOf(query)));
        }
        it('rejects other parameters', () =>
          refused(route, { query: `${queryOf(goodQuery(rulesOf(query)))}&other=1` }, 'other'));
      }
      if (body) {
        for (const name of Object.keys(rulesOf(body).fields)) {
          it(`validates ${name} by the schema`, () => bodyCases(route, name, rulesOf(body)));
        }
        it('rejects other fields, and bodies that are not objects', () => wholeBodies(route, rulesOf(body)));
      }
      if (route.idempotent) it('validates the Idempotency-Key by the schema', () => keyCases(route));
    });
  }

  function pathCases(route: Route, name: string, rules: Rules) {
    const good = sampleOf(rules);
    const field = rules.fields[name]!;
    const values = [...textsFor(field), ...numbersFor(field).map(String)];
    const cases = values.map((value) => ({
      what: short(value),
      input: { params: { ...good, [name]: value } },
      isGood: accepts(rules, { ...good, [name]: value }, true),
    }));
    const broken = ['%ED%A0%80', '%FF', '%', '%C3%28'].map((text) => ({
      what: text,
      input: { params: { ...good, [name]: new Json(text) } },
      isGood: false,
    }));
    return runCases(route, [...cases, ...broken]);
  }

  function queryCases(route: Route, name: string, rules: Rules) {
    const good = goodQuery(rules, name);
    const field = rules.fields[name]!;
    const values = [undefined, '', ...textsFor(field), ...numbersFor(field).map(String)];
    const cases = values.map((value) => ({
      what: short(value ?? null),
      input: { query: queryOf({ ...good, [name]: value }) },
      isGood: accepts(rules, { ...good, [name]: value }, true),
    }));
    const broken = ['%ED%A0%80', '%FF', '%', '%C3%28', `1&${name}=1`].map((text) => ({
      what: text,
      input: { query: queryOf({ ...good, [name]: new Json(text) }) },
      isGood: false,
    }));
    return runCases(route, [...cases, ...broken]);
  }

  function bodyCases(route: Route, name: string, rules: Rules) {
    const good = sampleOf(rules);
    const field = rules.fields[name]!;
    const values = [undefined, null, '', true, [], ['a'], {}, ...textsFor(field), ...numbersFor(field)];
    const cases = values.map((value) => ({
      what: short(value ?? null),
      input: { body: stringify({ ...good, [name]: value }) },
      isGood: isOpen(name, value) ? null : accepts(rules, { ...good, [name]: value }),
    }));
    const texts = [
      'NaN',
      'Infinity',
      '-Infinity',
      '1e999',
      '"\\ud83e"',
      '"\\udda0a"',
      '"a\\u0000"',
      '01',
      "'a'",
    ];
    const broken = texts.map((text) => ({
      what: text,
      input: { body: stringify({ ...good, [name]: new Json(text) }) },
      isGood: judgedByContent.has(name) && text.startsWith('"') ? null : false,
    }));
    return runCases(route, [...cases, ...broken]);
  }

  /** Whether the schema cannot decide if a value is valid. */
  function isOpen(name: string, value: unknown): boolean {
    return judgedByContent.has(name) && (value === undefined || typeof value === 'string');
  }

  async function wholeBodies(route: Route, rules: Rules) {
    const before = await stored();
    const good = stringify(sampleOf(rules));
    const bad: (string | Buffer)[] = [
      'null',
      '[]',
      `[${good}]`,
      '"a"',
      '7',
      'true',
      '{',
      good.slice(0, -1),
      `${good}}`,
      '\0',
      'a=1',
    ];
    bad.push(
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      Buffer.from(`\ufeff${good}`, 'utf16le'),
    );
    for (const body of bad) await refused(route, { body }, body.toString());
    if (!rules.takesMore) {
      const more = stringify({ ...sampleOf(rules), other: 1 });
      await refused(route, { body: more }, more);
    }
    if (!isOptional(route.input!.body!)) await refused(route, { body: '' }, 'no body');
    const large = `${' '.repeat(route.bodyLimit ?? 10_000)}${good}`;
    await refused(route, { body: large }, 'too large', 413);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
    ]) {
      await refused(route, { body: good, headers: { 'content-type': type } }, type, 415);
    }
    expect(await stored()).to.equal(before);
  }

  function keyCases(route: Route) {
    const rules = rulesOf(keyHeader);
    const name = 'idempotency-key';
    const values = ['', 'a', 'a b', '\u00e9', 'a\tb', '~!', 'a'.repeat(255), 'a'.repeat(256)];
    const cases = values.map((value) => ({
      what: value,
      input: { headers: { [name]: value } },
      isGood: accepts(rules, { [name]: value }),
    }));
    return runCases(route, cases);
  }

  /** Repeated here, so that an accidental change of a limit fails a test. */
  const limits: [method: string, path: string, field: string, good: unknown[], bad: unknown[]][] = [
    ...(['post /api/geocoder', 'post /api/locations'] as const).flatMap((call) => {
      const [method, path] = call.split(' ') as [string, string];
      return [
        [method, path, 'lat', [90, -90, 0], [90.000001, -90.000001, 91, '1', null]],
        [method, path, 'long', [180, -180, 0, 181, -540], ['1', null]],
      ] as [string, string, string, unknown[], unknown[]][];
    }),
    ['get', '/api/animal_locations/lat_long', 'latitude', [90, -90], [90.000001, -90.000001, 'NaN']],
    [
      'get',
      '/api/animal_locations/lat_long',
      'longitude',
      [180, -180],
      [180.000001, -180.000001, 'Infinity'],
    ],
    ['post', '/api/animal_locations', 'lat', [90, -90], [90.000001, -90.000001]],
    ['post', '/api/animal_locations', 'long', [180, -180], [180.000001, -180.000001]],
    ['post', '/api/animal_locations', 'animal_name', ['x'.repeat(200)], ['x'.repeat(201), '', ' ']],
    ['post', '/api/animal_locations', 'animal_notes', ['x'.repeat(5000), ''], ['x'.repeat(5001), null]],
    [
      'post',
      '/api/animal_locations',
      'placement_year',
      [1999, '1999', '', null],
      [999, 3000, '199', '19999', 1999.5],
    ],
    ['post', '/api/animal_locations/address', 'address', ['x'.repeat(300)], ['x'.repeat(301), '']],
    [
      'post',
      '/api/questions',
      'text',
      ['x'.repeat(160), '\u{1f9ad}'.repeat(160)],
      ['x'.repeat(161), '\u{1f9ad}'.repeat(161), '', ' '],
    ],
    ['post', '/api/questions/qid/:qid', 'updated_text', ['x'.repeat(160)], ['x'.repeat(161), '\0', '\ud83e']],
    [
      'post',
      '/api/options/qid/:qid',
      'text',
      ['x'.repeat(100), '\u{1f9ad}'.repeat(100)],
      ['x'.repeat(101), '\u{1f9ad}'.repeat(101), ''],
    ],
    ['post', '/api/options/oid/:oid', 'updated_text', ['x'.repeat(100)], ['x'.repeat(101), 'a\0']],
    ['post', '/api/visitor_response', 'oid', [1, 2 ** 31, 2 ** 53 - 1], [0, -1, 1.5, 2 ** 53, '1', null]],
    ['post', '/admin/count', 'name', ['x'.repeat(100)], ['x'.repeat(101), '']],
    [
      'post',
      '/admin/count',
      'total',
      [0, 2 ** 53 - 1, '12'],
      [-1, 1.5, '1.5', '-1', '', null, '9'.repeat(16)],
    ],
    [
      'post',
      '/admin/email',
      'email_address',
      ['a@example.org'],
      [
        'a',
        'a@',
        'a@b',
        '@example.org',
        `a@${'b'.repeat(60)}.${'c.'.repeat(100)}org`,
        'a@example.org\nb@example.org',
      ],
    ],
  ];

  for (const [method, path, name, good, bad] of limits) {
    it(`${method} ${path} keeps the limits of ${name}`, async () => {
      const route = declaredRoutes.find((one) => one.method === method && one.path === path)!;
      const place = route.input!.body ? 'body' : 'query';
      const sample = sampleOf(rulesOf(route.input![place]!));
      const input = (value: unknown): Input =>
        place === 'body'
          ? { body: stringify({ ...sample, [name]: value }) }
          : { query: queryOf({ ...sample, [name]: value }) };
      for (const value of bad) await refused(route, input(value), short(value));
      for (const value of good) await taken(route, input(value), short(value));
    });
  }
});
