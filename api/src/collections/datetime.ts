import Joi from 'joi';

/** Milliseconds since 1970, from `from` (inclusive) to `before` (exclusive); null if that end is open. */
export type Interval = { from: number | null; before: number | null };

const date = String.raw`\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])`;
const time = String.raw`([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)`;
const moment = `${date}([Tt]${time})?`;

/** A time or an interval (OGC API – Features 1.0, 7.15.4). Both ends are inclusive. */
export const datetime = Joi.string()
  .max(100)
  .pattern(new RegExp(`^(${moment}|${moment}/(${moment}|\\.\\.)?|(\\.\\.)?/${moment})$`))
  .custom((text: string, helpers) => {
    const { from, before } = intervalOf(text);
    if (Number.isNaN(from) || Number.isNaN(before)) return helpers.error('datetime.day');
    return (from ?? -Infinity) < (before ?? Infinity) ? text : helpers.error('datetime.order');
  })
  .messages({
    'string.pattern.base':
      '{#label} must be a date or a time as in 2026-07-01T12:00:00Z, or two of them separated by a slash',
    'datetime.day': '{#label} contains a day that does not exist',
    'datetime.order': '{#label} must begin before it ends',
  })
  .description(
    'A date, a time (RFC 3339), or an interval: two of them separated by a slash, with ".." or nothing for an open end.',
  )
  .meta({ parameter: { example: '2026-07-01T00:00:00Z/..' } });

/** Converts a `datetime` to an interval. Features without a time match every interval (OGC 17-069r4, 7.15.4). */
export function intervalOf(text: string): Interval {
  const [first = '', last = first] = text.split('/').map((part) => (part === '..' ? '' : part));
  return { from: startOf(first), before: endOf(last) };
}

/** Returns NaN for a day such as 30 February, which JavaScript parses as a day in March. */
function startOf(moment: string): number | null {
  if (moment === '') return null;
  const day = moment.slice(0, 10);
  const midnight = Date.parse(day);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return NaN;
  return Date.parse(moment.toUpperCase());
}

/** A date lasts a day, a time lasts a millisecond: the precision of times in responses. */
function endOf(moment: string): number | null {
  const start = startOf(moment);
  return start === null ? null : start + (moment.length === 10 ? 86_400_000 : 1);
}
