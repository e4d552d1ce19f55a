/** Letters that Unicode does not decompose into an ASCII letter and marks, several per line. */
// prettier-ignore
const letters: Record<string, string> = {
  ß: 'ss', ø: 'o', æ: 'ae', œ: 'oe', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i', ə: 'a', '&': ' and ',
};

/** Words that may be abbreviated, several per line. */
// prettier-ignore
const abbreviations: Record<string, string> = {
  saint: 'st', sainte: 'st', sankt: 'st', ste: 'st', fort: 'ft', mount: 'mt',
  north: 'n', south: 's', east: 'e', west: 'w',
};

/**
 * Normalizes a name. Case, accents, hyphens, apostrophes, full stops, a leading "The" and common abbreviations make no
 * difference.
 */
export function keyOf(name: string): string {
  const words = name
    .normalize('NFD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9 ]/g, (letter) => letters[letter] ?? letter)
    .replace(/\.(?=\p{L}{2})/gu, ' ')
    .replace(/['’‘ʻʼ`.]/g, '')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .map((word) => abbreviations[word] ?? word);
  return (words.length > 1 && words[0] === 'the' ? words.slice(1) : words).join(' ');
}
