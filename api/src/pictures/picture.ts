/**
 * A picture as it is stored: a JPEG of at most `longestEdge` pixels in sRGB, without metadata, and the same in smaller
 * sizes.
 */
export type Picture = { sha256: string; media_type: string; bytes: Buffer; sizes: Size[] };

/** `width` is one of `widths`. A narrower picture keeps its own width. */
export type Size = { width: number; media_type: string; bytes: Buffer };

export const mediaType = 'image/jpeg';
export const longestEdge = 1_600;

/** The widths in pixels in which a picture is served, each as JPEG and as WebP. */
export const widths = [320, 640, 1_280] as const;
/** The width of pictures within JSON. */
export const listedWidth = 640;

/** The limits of a file: enough for a photo from any phone. */
export const mostBytes = 25 * 1024 * 1024;
export const mostPixels = 100_000_000;
/** Of an AVIF file: its decoder (libheif) takes 20 bytes for each pixel, others 7 at most. See `mostMemory`. */
export const mostPixelsOfAvif = 40_000_000;

export type Fault = 'type' | 'size' | 'damage';

/** The reason why a picture is rejected, as a predicate whose subject is the picture. */
export class BadPicture extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, rest: string) {
    super(rest);
    this.fault = fault;
  }
}

/** Throws `BadPicture` if a file has too many bytes. Can be called before the file is read. */
export function checkBytes(bytes: number): void {
  if (bytes <= mostBytes) return;
  const megabytes = (bytes / 1024 / 1024).toFixed(1);
  throw new BadPicture('size', `has ${megabytes} MB, the maximum is 25 MB`);
}

export function tooMuchMemory(): BadPicture {
  return new BadPicture('size', 'needs too much memory to decode; save it as JPEG, or smaller');
}
