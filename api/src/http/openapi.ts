import type Joi from 'joi';
import { failureSchema } from './failure.ts';
import { keyHeader } from './idempotency.ts';
import type { Outcome } from './reply.ts';
import { isOptional, outcomesOf, type Route } from './route.ts';
import { sessionCookie } from '../staff/session.ts';

type JsonSchema = { properties?: Record<string, JsonSchema>; required?: string[]; description?: string };

/** The OpenAPI 3.1 document of the routes, which is made of their declarations alone. */
export function openapi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'map-app', version, description: 'The visitor map of a marine-mammal rescue centre.' },
    paths,
    components: {
      schemas: { Failure: jsonSchema(failureSchema, 'output') },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: sessionCookie, description: 'Set by /flask/auth.' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An ID token of Google.' },
      },
    },
  };
}

/** Headers that OpenAPI knows as something other than parameters. */
const elsewhere = new Set(['authorization', 'cookie', 'host', 'x-forwarded-proto']);

function operation(route: Route): object {
  const { method, path, access, idempotent, summary, input = {} } = route;
  return {
    operationId: `${method}${path.replace(/\W+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    tags: [path.split('/').find((part) => part !== '' && part !== 'api') ?? ''],
    ...(access === 'staff' && { security: [{ session: [] }, { token: [] }] }),
    parameters: [
      ...parameters('path', input.params),
      ...parameters('query', input.query),
      ...parameters('header', input.headers).filter(({ name }) => !elsewhere.has(name)),
      ...parameters('header', idempotent ? keyHeader : undefined),
    ],
    ...(input.body && {
      requestBody: {
        required: !isOptional(input.body),
        content: content('application/json', jsonSchema(input.body, 'input')),
      },
    }),
    responses: {
      ...responses(outcomesOf(route)),
      default: {
        description: 'Refused or failed.',
        content: content('application/json', { $ref: '#/components/schemas/Failure' }),
      },
    },
  };
}

function responses(outcomes: readonly Outcome[]): Record<number, { description: string; content?: object }> {
  const byStatus: Record<number, { description: string; content?: object }> = {};
  for (const { status, description, mediaType, schema } of outcomes) {
    const kind = mediaType && content(mediaType, schema ? jsonSchema(schema, 'output') : {});
    byStatus[status] = { description, ...byStatus[status] };
    if (kind) byStatus[status].content = { ...byStatus[status].content, ...kind };
  }
  return byStatus;
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

function content(mediaType: string, schema: object): object {
  return { [mediaType]: { schema } };
}

function jsonSchema(schema: Joi.Schema, side: 'input' | 'output'): JsonSchema {
  return schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' });
}
