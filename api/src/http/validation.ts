import type { Request } from 'express';
import Joi from 'joi';
import { badRequest } from './errors.ts';
import { isForm } from './body.ts';
import { keyHeader, type KeyHeader } from './idempotency.ts';
import { queryOf } from './query.ts';
import type { Route } from './route.ts';

/** The validated input of a request: undefined if the route declares no schema. */
export type Values = { params: unknown; query: unknown; headers: unknown; body: unknown };

/** @returns a function that validates a request whose body has been read. It throws 400 with a sentence that names the field. */
export function validatorOf({ input = {}, idempotent }: Route) {
  const params = validator(input.params, { convert: true });
  const query = validator(input.query, { convert: true });
  const headers = validator(input.headers, { convert: true, stripUnknown: true });
  const body = validator(bodySchema(input.body), { convert: false });
  // All fields of a form are strings.
  const form = validator(bodySchema(input.body), { convert: true });
  const keys = validator<KeyHeader>(idempotent ? keyHeader : undefined, { stripUnknown: true });
  return (request: Request, read: unknown): { values: Values; key: string | undefined } => {
    const values = {
      params: params(request.params),
      query: query(queryOf(request.url)),
      headers: headers(request.headers),
      body: (isForm(request) ? form : body)(read),
    };
    return { values, key: keys(request.headers)?.['idempotency-key'] };
  };
}

/** Whether a schema is marked `.optional()`. */
export function isOptional(schema: Joi.Schema): boolean {
  const flags: { presence?: string } = schema.describe().flags ?? {};
  return flags.presence === 'optional';
}

function bodySchema(declared: Joi.ObjectSchema | undefined): Joi.ObjectSchema | undefined {
  return (declared && isOptional(declared) ? declared : declared?.required())?.label('The body');
}

function validator<Value>(schema: Joi.ObjectSchema<Value> | undefined, options: Joi.ValidationOptions) {
  const prepared = schema?.prefs({
    ...options,
    errors: { wrap: { label: false } },
    // Joi's default message repeats the whole value.
    messages: { 'string.pattern.base': '{#label} does not have the required format' },
  });
  return (value: unknown): Value | undefined => {
    if (!prepared) return undefined;
    const result = prepared.validate(value);
    if (result.error) throw badRequest(`${result.error.message}.`);
    return result.value;
  };
}
