import type Joi from 'joi';

/** The part of Joi's description of a schema that this API uses. */
type Description = {
  type: string;
  flags?: { presence?: string; only?: boolean; unknown?: boolean };
  rules?: { name: string; args?: { limit?: number; regex?: string } }[];
  allow?: unknown[];
  keys?: Record<string, Description>;
  matches?: { schema: Description }[];
  dependencies?: { rel: string; peers: string[] }[];
};

/** A type of value that a field accepts. */
type Kind = {
  type: 'number' | 'string';
  isWhole: boolean;
  least: number;
  most: number;
  longest: number;
  isTrimmed: boolean;
  isAddress: boolean;
  patterns: RegExp[];
};

type Field = { isRequired: boolean; isClosed: boolean; allowed: unknown[]; kinds: Kind[] };

/** The rules of one input. They are read from Joi's description, but evaluated here, because Joi is what is tested. */
export type Rules = {
  fields: Record<string, Field>;
  takesMore: boolean;
  dependencies: { rel: string; peers: string[] }[];
};

export function rulesOf(schema: Joi.ObjectSchema): Rules {
  const { keys = {}, flags, dependencies = [] } = schema.describe() as unknown as Description;
  return {
    fields: Object.fromEntries(Object.entries(keys).map(([name, field]) => [name, fieldOf(field)])),
    takesMore: flags?.unknown ?? false,
    dependencies,
  };
}

function fieldOf(description: Description): Field {
  const { flags, allow = [], matches } = description;
  const kinds = matches ? matches.map(({ schema }) => kindOf(schema)) : [kindOf(description)];
  return {
    isRequired: flags?.presence === 'required',
    isClosed: flags?.only ?? false,
    allowed: allow,
    kinds,
  };
}

function kindOf({ type, rules = [] }: Description): Kind {
  if (type !== 'number' && type !== 'string') throw new Error(`No cases are known for the type ${type}.`);
  const kind: Kind = {
    type,
    isWhole: false,
    least: -Infinity,
    most: Infinity,
    longest: Infinity,
    isTrimmed: false,
    isAddress: false,
    patterns: [],
  };
  for (const { name, args = {} } of rules) {
    const { limit = 0, regex = '' } = args;
    if (name === 'integer') kind.isWhole = true;
    else if (name === 'min' && type === 'number') kind.least = limit;
    else if (name === 'max' && type === 'number') kind.most = limit;
    else if (name === 'max' || name === 'characters') kind.longest = limit;
    else if (name === 'trim') kind.isTrimmed = true;
    else if (name === 'email') kind.isAddress = true;
    else if (name === 'pattern') kind.patterns.push(expression(regex));
    else if (name !== 'custom') throw new Error(`No cases are known for the rule ${name} of a ${type}.`);
  }
  return kind;
}

function expression(source: string): RegExp {
  const [, pattern, flags] = /^\/(.*)\/(\w*)$/s.exec(source)!;
  return new RegExp(pattern!, flags);
}

/** Whether an input is valid. `isText`: all values are text, as in a query string. */
export function accepts(rules: Rules, input: Record<string, unknown>, isText = false): boolean {
  const { fields, takesMore, dependencies } = rules;
  const names = Object.keys(input).filter((name) => input[name] !== undefined);
  if (!takesMore && names.some((name) => !(name in fields))) return false;
  const together = ({ rel, peers }: { rel: string; peers: string[] }) => {
    const given = peers.filter((peer) => names.includes(peer)).length;
    return rel === 'and' ? given === 0 || given === peers.length : given > 0;
  };
  if (!dependencies.every(together)) return false;
  return Object.entries(fields).every(([name, field]) =>
    input[name] === undefined ? !field.isRequired : fits(field, input[name], isText),
  );
}

function fits({ isClosed, allowed, kinds }: Field, value: unknown, isText: boolean): boolean {
  if (allowed.includes(value)) return true;
  return !isClosed && kinds.some((kind) => suits(kind, value, allowed, isText));
}

function suits(kind: Kind, value: unknown, allowed: unknown[], isText: boolean): boolean {
  if (kind.type === 'number') {
    const isNumeral = isText && typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value);
    const number = isNumeral ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) return false;
    return number >= kind.least && number <= kind.most && (!kind.isWhole || Number.isSafeInteger(number));
  }
  if (typeof value !== 'string') return false;
  const text = kind.isTrimmed ? value.trim() : value;
  if (text === '') return allowed.includes('');
  if (kind.isAddress && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text)) return false;
  // oxlint-disable-next-line no-control-regex -- matches the forbidden character
  if (/[\0]|\p{Surrogate}/u.test(text)) return false;
  return Array.from(text).length <= kind.longest && kind.patterns.every((pattern) => pattern.test(text));
}

const samples = ['some', '1', 'a@example.org', '2001', '2001-01-01', '0,0,0.5,0.5', '0'.repeat(64)];

/** Returns a valid value for each field. */
export function sampleOf(rules: Rules): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(rules.fields).map(([name, field]) => {
      const candidates = [...(field.isClosed ? field.allowed : []), 1, 2001, ...samples];
      const sample = candidates.find((candidate) => fits(field, candidate, false));
      if (sample === undefined) throw new Error(`No valid sample is known for ${name}.`);
      return [name, sample];
    }),
  );
}

const accents = 'e\u0301';
const rightToLeft = '\u05e9\u05dc\u05d5\u05dd \u202eabc';

/** Returns texts of all kinds, and texts around the limits of a field. */
export function textsFor({ kinds }: Field): string[] {
  const around = kinds.flatMap(({ longest }) =>
    longest < Infinity
      ? ['a', '\u{1f9ad}'].flatMap((character) => [character.repeat(longest), character.repeat(longest + 1)])
      : [],
  );
  const texts = [
    'a',
    ' a ',
    '\u{1f9ad}',
    accents,
    rightToLeft,
    '\ufeff',
    '\u3000 \t',
    "'; drop table pin --",
  ];
  const numerals = ['1', '1.5', '-1', '0', 'NaN', 'Infinity', '-Infinity', '0x10', '1e999', '9'.repeat(400)];
  return [...texts, ...numerals, 'true', 'null', '\0', 'a\0b', ...around, 'a'.repeat(5_500)];
}

/** Returns numbers of all kinds, and numbers around the limits of a field. */
export function numbersFor({ kinds }: Field): number[] {
  const around = kinds.flatMap(({ least, most, isWhole }) => {
    const step = isWhole ? 1 : 1e-6;
    return [least - step, least, least + step, most - step, most, most + step].filter(Number.isFinite);
  });
  const edges = [90, -90, 180, -180, 90.000001, -90.000001, 180.000001, -180.000001];
  return [...new Set([...around, ...edges, 0, 1, 1.5, -1, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, -1e308, 5e-324])];
}
