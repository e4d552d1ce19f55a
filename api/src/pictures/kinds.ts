import { BadPicture, checkBytes } from './picture.ts';

/** The kinds of pictures that are accepted, and common ones that are not. */
export type Kind = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'avif' | 'heic';

const begins: readonly [kind: Kind, pattern: RegExp][] = [
  ['jpeg', /^\xff\xd8\xff/],
  ['png', /^\x89PNG\r\n[^]\n/],
  ['gif', /^GIF8[79]a/],
  ['webp', /^RIFF[^]{4}WEBP/],
  ['tiff', /^(II\*\0|MM\0\*)/],
];

/**
 * Returns the kind of a file from its first bytes, regardless of its name and declared type. Null if it is of another
 * kind.
 */
export function kindOf(file: Buffer): Kind | null {
  const head = file.toString('latin1', 0, 12);
  const found = begins.find(([, pattern]) => pattern.test(head));
  return found ? found[0] : kindOfHeif(file);
}

/**
 * AVIF and HEIC share a container, whose first box lists the brands that the file conforms to (ISO/IEC 23008-12, 10).
 * The brand `mif1` alone does not specify an encoding; files from phones contain HEVC.
 */
function kindOfHeif(file: Buffer): Kind | null {
  if (file.toString('latin1', 4, 8) !== 'ftyp') return null;
  const length = Math.min(file.readUInt32BE(0), 256);
  const brands = file.toString('latin1', 8, length).match(/.{4}/gs) ?? [];
  if (brands.some((brand) => /^avi[fs]$/.test(brand))) return 'avif';
  return brands.some((brand) => /^(he[iv][a-z]|mif1|msf1)$/.test(brand)) ? 'heic' : null;
}

const convert =
  'convert it to JPEG: on an iPhone choose Most Compatible in Settings > Camera > Formats, on a computer open the photo and export it as JPEG';

/**
 * Returns the kind of a file. Throws `BadPicture` for a file that is too large, or of a kind that cannot be decoded.
 */
export function decodableKind(file: Buffer): Exclude<Kind, 'heic'> {
  checkBytes(file.length);
  const kind = kindOf(file);
  if (kind === null) throw new BadPicture('type', 'is not a JPEG, PNG, WebP, GIF, AVIF or TIFF file');
  // The libvips that sharp ships has no HEVC decoder, because of patents.
  if (kind === 'heic') throw new BadPicture('type', `is a HEIC file, which cannot be read here; ${convert}`);
  return kind;
}
