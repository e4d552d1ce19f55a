type Schema = Record<string, unknown>;

/**
 * Converts a document to OpenAPI 3.0, whose schemas use an older dialect of JSON Schema: one type each, `nullable`, one
 * `example`, no `dependentRequired`.
 */
export function asOpenapi30(document: object): object {
  return { ...(converted(document) as object), openapi: '3.0.3' };
}

function converted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(converted);
  if (typeof value !== 'object' || value === null) return value;
  const { dependentRequired: _, examples, ...schema } = value as Schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, converted(part)]));
  // Examples of a media type are an object, those of a schema an array.
  if (Array.isArray(examples)) inner['example'] = examples[0];
  else if (examples !== undefined) inner['examples'] = examples;
  return nullable(inner);
}

function nullable(schema: Schema): Schema {
  const { type, anyOf } = schema;
  if (Array.isArray(type)) {
    const one = type.find((name) => name !== 'null') as string;
    return { ...schema, type: one, ...(type.includes('null') && { nullable: true }) };
  }
  if (!Array.isArray(anyOf)) return schema;
  const others = (anyOf as Schema[]).filter(({ type }) => type !== 'null');
  if (others.length === anyOf.length) return schema;
  return {
    ...schema,
    anyOf: others.map((option) => ('type' in option ? { ...option, nullable: true } : option)),
  };
}
