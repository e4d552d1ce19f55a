import type Joi from 'joi';

export type JsonSchema = {
  properties?: Record<string, JsonSchema>;
  required?: string[];
  description?: string;
  dependentRequired?: Record<string, string[]>;
  anyOf?: object[];
};

/**
 * Whether a client sends or receives the body: a field with a default is optional in an input, and always present in an
 * output.
 */
export type Side = 'input' | 'output';

/** Converts a Joi schema to JSON Schema 2020-12. */
export function jsonSchema(schema: Joi.Schema, side: Side): JsonSchema {
  return { ...schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' }), ...dependencies(schema) };
}

type Dependency = { rel: string; peers: string[] };

/**
 * Joi's conversion omits `and` (fields that must appear together) and `or` (at least one of the fields is required).
 */
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
