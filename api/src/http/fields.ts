import Joi from 'joi';

/** Degrees north. Text from a query may have more digits than a double stores; it is rounded to the nearest double. */
export const latitude = Joi.number().unsafe().min(-90).max(90).description('Degrees north.');

/** Degrees east. */
export const longitude = Joi.number().unsafe().min(-180).max(180).description('Degrees east.');

/** Above 2^53 - 1, doubles cannot represent all integers. */
const most = Number.MAX_SAFE_INTEGER;

/** A count: a non-negative safe integer. */
export const tally = Joi.number().integer().min(0).max(most);

export const coordinates = Joi.object<{ latitude: number; longitude: number }, true>({
  latitude: latitude.required(),
  longitude: longitude.required(),
}).meta({ component: 'Coordinates', example: { latitude: 33.573, longitude: -117.7625 } });

/** A row id: a positive safe integer. */
export const id = Joi.number().integer().min(1).max(most);

type Text = Joi.StringSchema & { characters(most: number): Text };

/**
 * Joi's string, restricted to storable characters, with `characters` as the maximum length in Unicode characters, as in
 * PostgreSQL and JSON Schema. Joi's `max` counts UTF-16 code units.
 */
const joi = Joi.extend((joi: Joi.Root) => ({
  type: 'string',
  base: joi.string(),
  messages: { 'string.unstorable': '{{#label}} contains a character that cannot be stored' },
  validate(value: string, { error }: Joi.CustomHelpers) {
    // A lone surrogate would be stored as another character, and PostgreSQL cannot store NUL.
    const storable = value.isWellFormed() && !value.includes('\0');
    return storable ? undefined : { value, errors: error('string.unstorable') };
  },
  rules: {
    characters: {
      method(this: Joi.ExtensionBoundSchema, limit: number) {
        return this.$_addRule({ name: 'characters', args: { limit } });
      },
      validate(value: string, { error }: Joi.CustomHelpers, { limit }: { limit: number }) {
        return value.length <= limit || Array.from(value).length <= limit
          ? value
          : error('string.max', { limit });
      },
      jsonSchema(rule: { args: { limit: number } }, schema: object) {
        return { ...schema, maxLength: rule.args.limit };
      },
    },
  },
})) as { string: () => Text };

// oxlint-disable-next-line no-control-regex -- the pattern excludes it
const withoutNul = /^[^\u0000]*$/;

/** Text of at most `longest` characters. */
export const text = (longest: number) => joi.string().characters(longest).pattern(withoutNul);

/** Optional text: trimmed, with an empty string as the default. */
export const note = (longest: number) => text(longest).prefs({ convert: true }).trim().allow('').default('');

/**
 * Required text with at least one non-blank character. The blanks are listed because `\s` differs between regular
 * expression dialects, and other programs read the API definition.
 */
export const storable = (longest: number) =>
  joi
    .string()
    .prefs({ convert: true })
    .trim()
    .characters(longest)
    .pattern(
      // oxlint-disable-next-line no-control-regex, no-irregular-whitespace -- as above
      /^[^\u0000]*[^\u0000\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff][^\u0000]*$/,
    );

export type Done = { success: true; message: string };

/** The response of calls without a result. */
export const done = Joi.object<Done, true>({
  success: Joi.boolean().valid(true).required(),
  message: Joi.string().required(),
});
