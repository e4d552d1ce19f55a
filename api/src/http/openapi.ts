import type Joi from 'joi';
import { failureSchema } from './failure.ts';
import type { Route } from './route.ts';

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
    components: { schemas: { Failure: jsonSchema(failureSchema, 'output') } },
  };
}

function operation({ method, path, summary, input = {}, output }: Route): object {
  return {
    operationId: `${method}${path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    tags: [path.split('/').find((part) => part !== '' && part !== 'api') ?? ''],
    parameters: [...parameters('path', input.params), ...parameters('query', input.query)],
    ...(input.body && {
      requestBody: { required: true, content: json(jsonSchema(input.body, 'input')) },
    }),
    responses: {
      200: { description: 'Done.', content: json(jsonSchema(output, 'output')) },
      default: { description: 'Refused or failed.', content: json({ $ref: '#/components/schemas/Failure' }) },
    },
  };
}

function parameters(place: 'path' | 'query', schema: Joi.ObjectSchema | undefined): object[] {
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

function json(schema: object): object {
  return { 'application/json': { schema } };
}

function jsonSchema(schema: Joi.Schema, side: 'input' | 'output'): JsonSchema {
  return schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' });
}
