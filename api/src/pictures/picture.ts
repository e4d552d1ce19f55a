/** A picture as it is stored: a JPEG of at most `LONGEST_EDGE` pixels in sRGB, without metadata, and the same in smaller sizes. */
export type Picture = { sha256: string; media_type: string; bytes: Buffer; sizes: Size[] };

/** `width` is one of `WIDTHS`. A picture that is narrower has its own width there. */
export type Size = { width: number; media_type: string; bytes: Buffer };

export const MEDIA_TYPE = 'image/jpeg';
export const LONGEST_EDGE = 1_600;

/** The widths in pixels that a picture is served in, each as JPEG and as WebP. */
export const WIDTHS = [320, 640, 1_280] as const;
/** The width of the pictures that travel within JSON. */
export const LISTED_WIDTH = 640;

/** What a file may have: a photo of any phone's camera. */
export const MOST_BYTES = 25 * 1024 * 1024;
export const MOST_PIXELS = 100_000_000;
/** Of an AVIF file: its decoder (libheif) takes 20 bytes for each pixel, others 7 at most. See `MOST_MEMORY`. */
export const MOST_PIXELS_OF_AVIF = 40_000_000;

export type Fault = 'type' | 'size' | 'damage';

/** Why a picture is refused, as the rest of a sentence whose subject is the picture. */
export class BadPicture extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, rest: string) {
    super(rest);
    this.fault = fault;
  }
}

/** Throws `BadPicture` if a file has more bytes than a picture may have, which is known before the file is read. */
export function checkBytes(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  const megabytes = (bytes / 1024 / 1024).toFixed(1);
  throw new BadPicture('size', `has ${megabytes} MB, the most is 25 MB`);
}

export function tooMuchMemory(): BadPicture {
  return new BadPicture('size', 'needs too much memory to decode; save it as JPEG, or smaller');
}
