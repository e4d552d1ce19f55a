import Joi from 'joi';

type Range = { type: string; quality: number };

/**
 * Negotiates the form of a response by the header Accept (RFC 9110, 12.5.1).
 * @param offered the media types of each form, in the server's order of preference
 * @returns the form with the highest quality value. The first one wins a tie, and is also returned if none is
 * acceptable.
 */
export function preferredForm<Form extends string>(
  header: string | undefined,
  offered: Record<Form, readonly string[]>,
): Form {
  const forms = Object.keys(offered) as Form[];
  const ranges = rangesOf(header ?? '*/*');
  const qualityOf = (form: Form) => Math.max(...offered[form].map((type) => quality(ranges, type)));
  return forms.toSorted((one, other) => qualityOf(other) - qualityOf(one))[0]!;
}

/** A schema of the header Accept. Its value is the selected form. */
export function acceptedForm<Form extends string>(
  offered: Record<Form, readonly string[]>,
): Joi.StringSchema {
  return Joi.string()
    .allow('')
    .custom((header: string) => preferredForm(header, offered))
    .default(preferredForm(undefined, offered));
}

function rangesOf(header: string): Range[] {
  return header.split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: weight === undefined ? 1 : Number(weight.slice(2)) || 0 };
  });
}

/** The most specific range that matches a type determines its quality. */
function quality(ranges: readonly Range[], type: string): number {
  const including = [type, type.replace(/\/.*/, '/*'), '*/*'];
  const ranked = including.map((wanted) => ranges.find((range) => range.type === wanted));
  return ranked.find((range) => range !== undefined)?.quality ?? 0;
}
