import { keyOf } from './keys.ts';

/** A part of an address between commas, without postcodes. */
export type Part = { words: string[]; hasNumber: boolean };

/**
 * Postcode formats: digits for the US, Germany, Japan and others; letters and digits for Brazil, Poland, Sweden,
 * Canada, the United Kingdom and the Netherlands.
 */
const postcodes = [
  /\b\d{5}-\d{3,4}\b/g,
  /\b\d{3}-\d{4}\b/g,
  /\b\d{2}-\d{3}\b/g,
  /\b\d{3} \d{2}\b/g,
  /\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b/gi,
  /\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b/gi,
  /^\d{4} ?[A-Z]{2}\b/gi,
  /\b(?:[A-Z]{1,2}-)?\d{4,}\b/gi,
];

/** Splits an address into its parts, from the street to the country. */
export function partsOf(address: string): Part[] {
  return address
    .split(/[,;\n]/)
    .map((part) => {
      const bare = postcodes.reduce((text, postcode) => text.replace(postcode, ' '), part.trim());
      // "Praha 1" is a district of Prague.
      const words = keyOf(bare.replace(/(\p{L}) \d{1,2}\s*$/u, '$1'))
        .split(' ')
        .filter(Boolean);
      return { words, hasNumber: /\d/.test(part) };
    })
    .filter(({ words }) => words.length > 0);
}
