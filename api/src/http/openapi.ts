import type Joi from 'joi';
import { failureSchema } from './failure.ts';
import { keyHeader } from './idempotency.ts';
import { componentsOf, type Components } from './components.ts';
import { done } from './fields.ts';
import { jsonSchema, type JsonSchema } from './json-schema.ts';
import type { Outcome } from './reply.ts';
import { outcomesOf, refusalsOf } from './responses.ts';
import type { Route } from './route.ts';
import { sessionCookie } from './session-cookie.ts';
import { isOptional } from './validation.ts';

type Response = { description: string; headers?: object; content?: Record<string, { schema: object }> };

const description = [
  'The visitor map of a marine-mammal rescue centre.',
  'Every error response is `{"success": false, "message": "<one sentence>"}`. A proxy in front may send it, too, with 429, 502, 503 or 504.',
  'Every response has an `X-Request-Id`, which identifies the request in the log.',
].join('\n\n');

/** Generates the OpenAPI 3.1 document from the declarations of the routes. */
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
    // The origin from which the document was read.
    servers: [{ url: '/' }],
    tags: [...new Set(routes.flatMap(({ feature }) => feature ?? []))],
    paths,
    components: {
      schemas: components.schemas,
      headers: {
        'X-Request-Id': header('Identifies the request in the log.'),
        ...headers({
          ETag: 'Identifies the version of the response, for If-None-Match.',
          'Cache-Control': 'The response may be stored, but must be revalidated before each use.',
        }),
      },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie, description: 'Set by /flask/auth.' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An ID token of Google.' },
      },
    },
  };
}

/** Bodies shared by many operations. `done` is not marked itself, because schemas that extend it would inherit its name. */
const shared = [
  { schema: failureSchema, side: 'output' },
  {
    schema: done.meta({ component: 'Done', example: { success: true, message: 'The pin is deleted.' } }),
    side: 'output',
  },
] as const;

/** Returns the request and response bodies of a route. */
function bodiesOf(route: Route) {
  const input = route.input?.body;
  return [
    ...(input ? [{ schema: input, side: 'input' } as const] : []),
    ...outcomesOf(route).flatMap(({ schema }) => (schema ? [{ schema, side: 'output' } as const] : [])),
  ];
}

/** Headers that OpenAPI does not describe as parameters. */
const elsewhere = new Set(['accept', 'authorization', 'cookie', 'host', 'x-forwarded-proto']);

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of a response that the client has stored.',
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

/** `get /api/locations/country/:name` is `getLocationsCountryByName`. A segment that only repeats the name of its parameter is omitted. */
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
    add(byStatus, { status: 304, description: 'The stored response is still valid.' }, components);
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
    ...(status === 401 && { 'WWW-Authenticate': 'The method of signing in.' }),
    ...(status === 503 && { 'Retry-After': 'The number of seconds to wait before the next attempt.' }),
  };
  return { status, description: when, mediaType: 'application/json', schema: failureSchema, headers };
}

/** Adds an outcome. Several forms with the same status are one response. */
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

/** Returns a field's own description of its parameter (`meta({ parameter })`), which Joi cannot express: a list as text, or a limit that is reduced instead of rejected. */
function ownParameter(schema: Joi.ObjectSchema, name: string): object {
  const { keys = {} } = schema.describe() as { keys?: Record<string, { metas?: { parameter?: object }[] }> };
  return keys[name]?.metas?.find(({ parameter }) => parameter !== undefined)?.parameter ?? {};
}

function content(mediaType: string, schema: object): Record<string, { schema: object }> {
  return { [mediaType]: { schema } };
}

/** The schema of the same fields as a form, with the picture as a file. */
function formSchema(body: Joi.ObjectSchema, pictureIn: string): JsonSchema {
  const schema = jsonSchema(body, 'input');
  const { description } = schema.properties?.[pictureIn] ?? {};
  const file = { type: 'string', format: 'binary', description } as JsonSchema;
  return { ...schema, properties: { ...schema.properties, [pictureIn]: file } };
}
