import type Joi from 'joi';
import type { JsonSchema } from './json-schema.ts';
import { jsonSchema, type Side } from './json-schema.ts';

/**
 * Marks a schema as a named component of the API definition, with an example value. Child schemas are named separately.
 */
export type Component = { component: string; example?: unknown };

/** The named schemas among some schemas and their children, and a function that replaces them by references. */
export type Components = {
  /** By name, sorted. */
  schemas: Record<string, object>;
  /** Returns the same JSON Schema with references in place of the named schemas. */
  referring: (schema: JsonSchema) => object;
};

type Found = { name: string; json: JsonSchema; example: unknown };

/**
 * Collects named schemas. A schema is recognized by its JSON, because Joi's own conversion expands all children. Throws
 * if two different schemas have the same name.
 */
export function componentsOf(schemas: readonly { schema: Joi.Schema; side: Side }[]): Components {
  const found = new Map<string, Found>();
  for (const { schema, side } of schemas) {
    for (const child of descendants(schema)) {
      const { component: name, example } = markOf(child) ?? {};
      if (name === undefined) continue;
      const json = jsonSchema(child, side);
      const known = [...found.values()].find((one) => one.name === name);
      if (known && JSON.stringify(known.json) !== JSON.stringify(json)) {
        throw new Error(`Two schemas are named ${name}.`);
      }
      found.set(JSON.stringify(json), { name, json, example });
    }
  }
  const refer = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const name = found.get(JSON.stringify(value))?.name;
    return name === undefined ? inside(value) : { $ref: `#/components/schemas/${name}` };
  };
  const inside = (value: object): object =>
    Array.isArray(value)
      ? value.map(refer)
      : Object.fromEntries(Object.entries(value).map(([key, part]) => [key, refer(part)]));
  const named = [...found.values()].map(({ name, json, example }): [string, object] => [
    name,
    { ...inside(json), ...(example !== undefined && { examples: [example] }) },
  ]);
  return {
    schemas: Object.fromEntries(named.toSorted(([one], [other]) => one.localeCompare(other))),
    referring: (schema) => refer(schema) as object,
  };
}

/** The last mark counts, because schemas created by `append` inherit the mark of the schema they extend. */
const markOf = (schema: Joi.Schema) =>
  (schema.describe() as { metas?: Partial<Component>[] }).metas?.findLast(
    ({ component }) => component !== undefined,
  );

type Terms = { keys?: { schema: Joi.Schema }[] | null; items?: Joi.Schema[] | null };

function descendants(schema: Joi.Schema): Joi.Schema[] {
  const { keys, items } = (schema as unknown as { $_terms: Terms }).$_terms;
  const children = [...(keys ?? []).map((key) => key.schema), ...(items ?? [])];
  return [schema, ...children.flatMap(descendants)];
}
