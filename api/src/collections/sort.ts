import Joi from 'joi';

/** A property and a direction. */
export type Sort = { by: string; descending: boolean };

/** The last feature of a page: its id and, for a sorted page, the numeric sort key of its property. */
export type Cursor = { id: number; key?: number };

/** `visit_date`, `+visit_date` or `-visit_date`. A plus sign in a query string means a space. */
export function sortby(properties: readonly string[]): Joi.StringSchema {
  return Joi.string()
    .valid(...properties.flatMap((property) => [property, `-${property}`, `+${property}`, ` ${property}`]))
    .messages({ 'any.only': `{#label} must be one of ${properties.flatMap(both).join(', ')}` })
    .description('Sorts by a property: ascending, or descending with a minus sign. The default is by id.')
    .meta({ parameter: { schema: { type: 'string', enum: properties.flatMap(both) } } });
}

const both = (property: string) => [property, `-${property}`];

export function sortOf(text: string): Sort {
  return { by: text.replace(/^[-+ ]/, ''), descending: text.startsWith('-') };
}

/** An id, or for a sorted page a sort key and an id. */
export const after = Joi.string()
  .max(40)
  .pattern(/^(-?\d{1,16},)?\d{1,15}$/)
  .messages({ 'string.pattern.base': '{#label} must be the value in a link "next"' })
  .description('Where the page begins. Use the value in the link "next" of the previous page.');

export function cursorOf(text: string): Cursor {
  const numbers = text.split(',').map(Number);
  return numbers.length === 1 ? { id: numbers[0]! } : { key: numbers[0]!, id: numbers[1]! };
}

export const textOfCursor = ({ id, key }: Cursor): string => (key === undefined ? `${id}` : `${key},${id}`);
