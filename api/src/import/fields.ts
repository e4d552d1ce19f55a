import { BadField } from './problems.ts';

/** Text without the blanks around it, which may be all there was. Throws `BadField` if it is no text. */
export function text(name: string, field: string): string {
  // What isn't UTF-8 was read as U+FFFD; PostgreSQL takes no NUL.
  if (/[\0\uFFFD]/.test(field)) throw new BadField(`${name} isn't text in UTF-8`);
  return field.trim();
}

/** Text that is there. Throws `BadField` if it is empty or longer than `longest` characters. */
export function requiredText(name: string, field: string, longest = Infinity): string {
  const trimmed = text(name, field);
  if (trimmed === '') throw new BadField(`${name} is empty`);
  if (trimmed.length > longest) {
    throw new BadField(`${name} has ${trimmed.length} characters, the most is ${longest}`);
  }
  return trimmed;
}

/** Degrees from -`most` to `most`. */
export function degrees(name: string, field: string, most: 90 | 180): number {
  const value = /^\s*[+-]?\d+(\.\d+)?\s*$/.test(field) ? Number(field) : NaN;
  if (!(Math.abs(value) <= most)) {
    throw new BadField(`${name} is ${quoted(field)}, not a number of degrees from -${most} to ${most}`);
  }
  return value;
}

/** A year of four digits, or null where there is none. */
export function year(name: string, field: string): number | null {
  const digits = field.trim();
  if (digits === '') return null;
  if (!/^[12]\d{3}$/.test(digits))
    throw new BadField(`${name} is ${quoted(field)}, not a year of four digits`);
  return Number(digits);
}

const DATE = '([12]\\d{3}-\\d\\d-\\d\\d)';
const CLOCK = '((?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d{1,6})?)?)';
const ZONE = '(Z|[+-](?:0\\d|1[0-4])(?::?[0-5]\\d)?)';
const TIME = new RegExp(`^${DATE}(?:[T ]${CLOCK} ?${ZONE}?)?$`, 'i');

/** An ISO 8601 date or time, exact to the microsecond, as PostgreSQL reads it; in UTC unless it names a zone. */
export function time(name: string, field: string): string {
  const [, date, clock = '00:00', zone = 'Z'] = TIME.exec(field.trim()) ?? [];
  const day = new Date(`${date}T00:00Z`);
  // A day that the month doesn't have comes out as one of the next month.
  if (date === undefined || isNaN(day.getTime()) || !day.toISOString().startsWith(date)) {
    throw new BadField(`${name} is ${quoted(field)}, not a time like 2026-07-31 or 2026-07-31T16:05:00Z`);
  }
  return `${date}T${clock}${zone}`;
}

/** A field in a message: shortened, and on one line. */
function quoted(field: string): string {
  const trimmed = field.trim();
  return JSON.stringify(trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed);
}
