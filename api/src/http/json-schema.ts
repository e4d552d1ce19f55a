import type Joi from 'joi';

export type JsonSchema = {
  properties?: Record<string, JsonSchema>;
  required?: string[];
  description?: string;
  dependentRequired?: Record<string, string[]>;
  anyOf?: object[];
};

/** A body that a client sends, or one that it receives: a default makes a field optional in the one and certain in the other. */
export type Side = 'input' | 'output';

/** JSON Schema 2020-12 of a Joi schema. */
export function jsonSchema(schema: Joi.Schema, side: Side): JsonSchema {
  return { ...schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' }), ...dependencies(schema) };
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
