import type Joi from 'joi';
import { failureSchema } from './failure.ts';
import { keyHeader } from './idempotency.ts';
import { componentsOf, type Components } from './components.ts';
import { done } from './fields.ts';
import { jsonSchema, type JsonSchema } from './json-schema.ts';
import type { Outcome } from './reply.ts';
import { isOptional, outcomesOf, refusalsOf, type Route } from './route.ts';
import { sessionCookie } from '../staff/session.ts';

type Response = { description: string; headers?: object; content?: Record<string, { schema: object }> };

const description = [
  'The visitor map of a marine-mammal rescue centre.',
  'Every error answers `{"success": false, "message": "<one sentence>"}`; a proxy in front may answer so too, with 429, 502, 503 or 504.',
  'Every answer carries `X-Request-Id`, by which it is found in the log.',
].join('\n\n');

/** The OpenAPI 3.1 document of the routes, which is made of their declarations alone. */
export function openapi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  const components = componentsOf([...shared, ...routes.flatMap(bodiesOf)]);
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'map-app', version, description },
    // Wherever this document was read from.
    servers: [{ url: '/' }],
    tags: [...new Set(routes.flatMap(({ feature }) => feature ?? []))],
    paths,
    components: {
      schemas: components.schemas,
      headers: {
        'X-Request-Id': header('Names the request in the log.'),
        ...headers({
          ETag: 'Names the state of the answer, for If-None-Match.',
          'Cache-Control': 'That the answer may be kept, and is to be asked about each time.',
        }),
      },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie, description: 'Set by /flask/auth.' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An ID token of Google.' },
      },
    },
  };
}

/** Bodies of many operations. `done` is not marked itself: schemas that extend it would inherit its name. */
const shared = [
  { schema: failureSchema, side: 'output' },
  {
    schema: done.meta({ component: 'Done', example: { success: true, message: 'The pin is deleted.' } }),
    side: 'output',
  },
] as const;

/** The bodies that a call takes and returns. */
function bodiesOf(route: Route) {
  const input = route.input?.body;
  return [
    ...(input ? [{ schema: input, side: 'input' } as const] : []),
    ...outcomesOf(route).flatMap(({ schema }) => (schema ? [{ schema, side: 'output' } as const] : [])),
  ];
}

/** Headers that OpenAPI knows as something other than parameters. */
const elsewhere = new Set(['accept', 'authorization', 'cookie', 'host', 'x-forwarded-proto']);

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of an answer that is at hand.',
  schema: { type: 'string' },
};

function operation(route: Route, components: Components): object {
  const { method, path, access, cached, idempotent, pictureIn, summary, feature, input = {} } = route;
  return {
    operationId: operationId(method, path),
    summary,
    tags: feature ? [feature.name] : [],
    security: access === 'staff' ? [{ session: [] }, { token: [] }] : [],
    parameters: [
      ...parameters('path', input.params),
      ...parameters('query', input.query),
      ...parameters('header', input.headers).filter(({ name }) => !elsewhere.has(name)),
      ...parameters('header', idempotent ? keyHeader : undefined),
      ...(cached ? [ifNoneMatch] : []),
    ],
    ...(input.body && {
      requestBody: {
        required: !isOptional(input.body),
        content: {
          ...content('application/json', components.referring(jsonSchema(input.body, 'input'))),
          ...(pictureIn && content('multipart/form-data', formSchema(input.body, pictureIn))),
        },
      },
    }),
    responses: responses(route, components),
  };
}

/** `get /api/locations/country/:name` is `getLocationsCountryByName`. A segment that only announces its parameter is left out. */
function operationId(method: string, path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== 'api');
  const words = segments.flatMap((segment, index) => {
    if (segments[index + 1] === `:${segment}`) return [];
    return segment.startsWith(':') ? ['by', segment.slice(1)] : segment.split(/[^A-Za-z0-9]+/);
  });
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return method + (name || 'LandingPage');
}

function responses(route: Route, components: Components): Record<number, Response> {
  const byStatus: Record<number, Response> = {};
  for (const outcome of outcomesOf(route)) add(byStatus, outcome, components);
  if (route.cached) {
    for (const response of Object.values(byStatus)) Object.assign(response.headers!, cacheHeaders);
    add(byStatus, { status: 304, description: 'The answer at hand still holds.' }, components);
    Object.assign(byStatus[304]!.headers!, cacheHeaders);
  }
  for (const [status, when] of Object.entries(refusalsOf(route))) {
    add(byStatus, refusal(Number(status), when), components);
  }
  return byStatus;
}

const cacheHeaders = Object.fromEntries(
  ['ETag', 'Cache-Control'].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
);

function refusal(status: number, when: string): Outcome {
  const headers = {
    ...(status === 401 && { 'WWW-Authenticate': 'How to sign in.' }),
    ...(status === 503 && { 'Retry-After': 'After how many seconds to ask again.' }),
  };
  return { status, description: when, mediaType: 'application/json', schema: failureSchema, headers };
}

/** What comes with one status in several forms is one response. */
function add(byStatus: Record<number, Response>, outcome: Outcome, components: Components): void {
  const { status, description, mediaType, schema } = outcome;
  const known = byStatus[status];
  const response: Response = {
    description:
      known && known.description !== description ? `${known.description} ${description}` : description,
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...known?.headers,
      ...headers(outcome.headers ?? {}),
    },
    ...(known?.content && { content: known.content }),
  };
  if (mediaType) {
    const added = schema ? components.referring(jsonSchema(schema, 'output')) : {};
    const there = known?.content?.[mediaType]?.schema;
    response.content = {
      ...known?.content,
      ...content(mediaType, there ? { anyOf: [there, added] } : added),
    };
  }
  byStatus[status] = response;
}

function header(description: string): object {
  return { description, schema: { type: 'string' } };
}

function headers(descriptions: Record<string, string>): Record<string, object> {
  return Object.fromEntries(Object.entries(descriptions).map(([name, text]) => [name, header(text)]));
}

function parameters(place: 'path' | 'query' | 'header', schema: Joi.ObjectSchema | undefined) {
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input');
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(place === 'query' && { style: 'form', explode: false }),
    ...(description && { description }),
    schema: rest,
    ...ownParameter(schema, name),
  }));
}

/** What a field says of its parameter itself (`meta({ parameter })`), where Joi cannot: a text that is a list, a limit that is lowered instead of refused. */
function ownParameter(schema: Joi.ObjectSchema, name: string): object {
  const { keys = {} } = schema.describe() as { keys?: Record<string, { metas?: { parameter?: object }[] }> };
  return keys[name]?.metas?.find(({ parameter }) => parameter !== undefined)?.parameter ?? {};
}

function content(mediaType: string, schema: object): Record<string, { schema: object }> {
  return { [mediaType]: { schema } };
}

/** The same fields, with the picture as a file. */
function formSchema(body: Joi.ObjectSchema, pictureIn: string): JsonSchema {
  const schema = jsonSchema(body, 'input');
  const { description } = schema.properties?.[pictureIn] ?? {};
  const file = { type: 'string', format: 'binary', description } as JsonSchema;
  return { ...schema, properties: { ...schema.properties, [pictureIn]: file } };
}
