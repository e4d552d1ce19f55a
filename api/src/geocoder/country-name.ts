const english = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** Returns the country name that pins store for an ISO 3166 code. */
export function countryName(code: string): string {
  const name = code === 'US' ? 'United States of America' : english.of(code);
  if (!name) throw new Error(`No name for the country code ${code}.`);
  return name;
}

/** All names that `countryName` returns. */
export function countryNames(): Set<string> {
  const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ');
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  return new Set(codes.filter((code) => english.of(code) !== undefined).map(countryName));
}
