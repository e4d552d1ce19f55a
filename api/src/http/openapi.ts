import type Joi from 'joi';
import { failureSchema } from './failure.ts';
import { keyHeader } from './idempotency.ts';
import type { Outcome } from './reply.ts';
import { isOptional, outcomesOf, refusalsOf, type Route } from './route.ts';
import { sessionCookie } from '../staff/session.ts';

type JsonSchema = {
  properties?: Record<string, JsonSchema>;
  required?: string[];
  description?: string;
  dependentRequired?: Record<string, string[]>;
  anyOf?: object[];
};

type Response = { description: string; headers?: object; content?: Record<string, { schema: object }> };

const description = [
  'The visitor map of a marine-mammal rescue centre.',
  'Every error answers `{"success": false, "message": "<one sentence>"}`; a proxy in front may answer so too, with 429, 502, 503 or 504.',
  'Every answer carries `X-Request-Id`, by which it is found in the log.',
].join('\n\n');

/** The OpenAPI 3.1 document of the routes, which is made of their declarations alone. */
export function openapi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'map-app', version, description },
    // Wherever this document was read from.
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map(({ feature }) => feature))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Failure: jsonSchema(failureSchema, 'output') },
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

/** Headers that OpenAPI knows as something other than parameters. */
const elsewhere = new Set(['accept', 'authorization', 'cookie', 'host', 'x-forwarded-proto']);

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of an answer that is at hand.',
  schema: { type: 'string' },
};

function operation(route: Route): object {
  const { method, path, access, cached, idempotent, pictureIn, summary, feature, input = {} } = route;
  return {
    operationId: `${method}${path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    tags: [feature],
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
          ...content('application/json', jsonSchema(input.body, 'input')),
          ...(pictureIn && content('multipart/form-data', formSchema(input.body, pictureIn))),
        },
      },
    }),
    responses: responses(route),
  };
}

function responses(route: Route): Record<number, Response> {
  const byStatus: Record<number, Response> = {};
  for (const outcome of outcomesOf(route)) add(byStatus, outcome);
  if (route.cached) {
    for (const response of Object.values(byStatus)) Object.assign(response.headers!, cacheHeaders);
    add(byStatus, { status: 304, description: 'The answer at hand still holds.' });
    Object.assign(byStatus[304]!.headers!, cacheHeaders);
  }
  for (const [status, when] of Object.entries(refusalsOf(route))) {
    add(byStatus, refusal(Number(status), when));
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

function outputSchema(schema: Joi.Schema | undefined): object {
  if (schema === failureSchema) return { $ref: '#/components/schemas/Failure' };
  return schema ? jsonSchema(schema, 'output') : {};
}

/** What comes with one status in several forms is one response. */
function add(byStatus: Record<number, Response>, outcome: Outcome): void {
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
    const added = outputSchema(schema);
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
    ...(description && { description }),
    schema: rest,
  }));
}

function content(mediaType: string, schema: object): Record<string, { schema: object }> {
  return { [mediaType]: { schema } };
}

function jsonSchema(schema: Joi.Schema, side: 'input' | 'output'): JsonSchema {
  return { ...schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' }), ...dependencies(schema) };
}

/** The same fields, with the picture as a file. */
function formSchema(body: Joi.ObjectSchema, pictureIn: string): JsonSchema {
  const schema = jsonSchema(body, 'input');
  const { description } = schema.properties?.[pictureIn] ?? {};
  const file = { type: 'string', format: 'binary', description } as JsonSchema;
  return { ...schema, properties: { ...schema.properties, [pictureIn]: file } };
}

type Dependency = { rel: string; peers: string[] };

/** Joi leaves out which fields go together (`and`), and of which there has to be one (`or`). */
function dependencies(schema: Joi.Schema): JsonSchema {
  const found = ((schema.describe() as { dependencies?: Dependency[] }).dependencies ?? []).map(
    ({ rel, peers }): JsonSchema =>
      rel === 'and'
        ? {
            dependentRequired: Object.fromEntries(
              peers.map((one) => [one, peers.filter((other) => other !== one)]),
            ),
          }
        : { anyOf: peers.map((peer) => ({ required: [peer] })) },
  );
  return Object.assign({}, ...found) as JsonSchema;
}
