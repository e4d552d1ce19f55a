import { badRequest, tooLarge, unprocessable, unsupportedMediaType } from '../errors.ts';
import { BadPicture } from './cleaned.ts';
import { type Picture, pictureOf } from './picture.ts';

/** What a body with a picture may have: 2 MB as base64, and some. */
export const bodyWithPicture = 4_000_000;

const errorFor = { type: unsupportedMediaType, size: tooLarge, damage: unprocessable };

/**
 * The picture that a client sends as base64 or as a data URL, whose own word for its type counts for nothing; null for an empty text.
 * Throws 400, 413, 415 or 422.
 */
export function uploadedPicture(name: string, text: string): Picture | null {
  const encoded = text.replace(/^\s*data:[^,]{0,200};base64,/i, '').replace(/\s+/g, '');
  if (encoded === '') return null;
  if (!/^[\w+/-]+={0,2}$/.test(encoded)) {
    throw badRequest(`${name} must be a picture, as base64 or as a data URL with base64.`);
  }
  try {
    return pictureOf(Buffer.from(encoded, 'base64'));
  } catch (error) {
    if (!(error instanceof BadPicture)) throw error;
    throw errorFor[error.fault](`The picture ${error.message}.`);
  }
}
