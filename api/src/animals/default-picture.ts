import { createHash } from 'node:crypto';
import { shippedPicture } from '../pictures/shipped.ts';
import type { StoredPicture } from '../pictures/store.ts';

/** The picture of an animal without one, as a file to be served. */
export function defaultPicture(): StoredPicture {
  const bytes = shippedPicture('sea-lion.png');
  return { sha256: createHash('sha256').update(bytes).digest('hex'), media_type: 'image/png', bytes };
}
