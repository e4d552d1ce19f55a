import { BadField } from './problems.ts';

/** Returns text of at most `longest` characters, trimmed. May be empty. Throws `BadField`. */
export function text(name: string, field: string, longest: number): string {
  const trimmed = field.trim();
  // PostgreSQL cannot store NUL.
  if (trimmed.includes('\0')) throw new BadField(`${name} contains a NUL character`);
  const length = trimmed.length > longest ? Array.from(trimmed).length : 0;
  if (length > longest) throw new BadField(`${name} has ${length} characters, the maximum is ${longest}`);
  return trimmed;
}

/** Like `text`, but not empty. */
export function requiredText(name: string, field: string, longest: number): string {
  const trimmed = text(name, field, longest);
  if (trimmed === '') throw new BadField(`${name} is empty`);
  return trimmed;
}

/** Parses degrees from -`most` to `most`, with a decimal point or comma. */
export function degrees(name: string, field: string, most: 90 | 180): number {
  const value = /^\s*[+-]?\d+([.,]\d+)?\s*$/.test(field) ? Number(field.replace(',', '.')) : NaN;
  if (!(Math.abs(value) <= most)) {
    throw new BadField(`${name} is ${quoted(field)}, not a number of degrees from -${most} to ${most}`);
  }
  return value;
}

/** Parses a year of four digits. Null if the field is empty. */
export function year(name: string, field: string): number | null {
  const digits = field.trim();
  if (digits === '') return null;
  if (!/^[12]\d{3}$/.test(digits))
    throw new BadField(`${name} is ${quoted(field)}, not a year of four digits`);
  return Number(digits);
}

const datePattern = '([12]\\d{3}-\\d\\d-\\d\\d)';
const clockPattern = '((?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d{1,6})?)?)';
const zonePattern = '(Z|[+-](?:0\\d|1[0-4])(?::?[0-5]\\d)?)';
const timePattern = new RegExp(`^${datePattern}(?:[T ]${clockPattern} ?${zonePattern}?)?$`, 'i');

/** Parses an ISO 8601 date or time, exact to the microsecond, as PostgreSQL reads it. UTC unless it has a zone. */
export function time(name: string, field: string): string {
  const [, date, clock = '00:00', zone = 'Z'] = timePattern.exec(field.trim()) ?? [];
  const day = new Date(`${date}T00:00Z`);
  // A day that the month does not have becomes a day of the next month.
  if (date === undefined || isNaN(day.getTime()) || !day.toISOString().startsWith(date)) {
    throw new BadField(`${name} is ${quoted(field)}, not a time like 2026-07-31 or 2026-07-31T16:05:00Z`);
  }
  return `${date}T${clock}${zone}`;
}

/** Formats a field for a message: shortened, and on one line. */
export function quoted(field: string): string {
  const trimmed = field.trim();
  return JSON.stringify(trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed);
}
