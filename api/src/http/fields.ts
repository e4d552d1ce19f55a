import Joi from 'joi';

/** Degrees north. Text from a query may have more digits than a double holds; the nearest double is what is meant. */
export const latitude = Joi.number().unsafe().min(-90).max(90).description('Degrees north.');

/** Degrees east. */
export const longitude = Joi.number().unsafe().min(-180).max(180).description('Degrees east.');

/** Past 2^53 a double holds no whole number exactly. */
const most = Number.MAX_SAFE_INTEGER;

/** How many of something there are. */
export const tally = Joi.number().integer().min(0).max(most);

export const coordinates = Joi.object<{ latitude: number; longitude: number }, true>({
  latitude: latitude.required(),
  longitude: longitude.required(),
}).meta({ component: 'Coordinates', example: { latitude: 33.573, longitude: -117.7625 } });

/** What names a row; no table has as many as there are numbers. */
export const id = Joi.number().integer().min(1).max(most);

type Text = Joi.StringSchema & { characters(most: number): Text };

/** Joi's string with nothing in it that cannot be stored, and a length in characters, as PostgreSQL and JSON Schema count, where `max` counts UTF-16 units. */
const joi = Joi.extend((joi: Joi.Root) => ({
  type: 'string',
  base: joi.string(),
  messages: { 'string.unstorable': '{{#label}} holds a character that cannot be stored' },
  validate(value: string, { error }: Joi.CustomHelpers) {
    // Halves of a character would be stored as another one; PostgreSQL takes no NUL.
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

// oxlint-disable-next-line no-control-regex -- it is what must not be there
const withoutNul = /^[^\u0000]*$/;

/** Text of at most `longest` characters. */
export const text = (longest: number) => joi.string().characters(longest).pattern(withoutNul);

/** The same as the database stores it, without the blanks around it, and empty where it is not given. */
export const note = (longest: number) => text(longest).prefs({ convert: true }).trim().allow('').default('');

/** The same with something in it. What a blank is, is said in full: `\s` means different characters to those who read the document. */
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

/** What is answered by calls that only do something. */
export const done = Joi.object<Done, true>({
  success: Joi.boolean().valid(true).required(),
  message: Joi.string().required(),
});
