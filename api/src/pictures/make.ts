import { createHash } from 'node:crypto';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { decodableKind, type Kind } from './kinds.ts';
import {
  BadPicture,
  longestEdge,
  mediaType,
  mostPixels,
  mostPixelsOfAvif,
  type Picture,
  type Size,
  tooMuchMemory,
  widths,
} from './picture.ts';

// Only the child process loads this module: it decodes one file and exits.
sharp.cache(false);
sharp.concurrency(1);
// Loaders parse untrusted files, so the unused ones are blocked. One of them is SVG, which loads other files.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map((name) => `VipsForeignLoad${name}`),
});

/**
 * Decodes a file, rotates it upright, converts it to sRGB on white, and encodes it again, so that no metadata is left.
 * Uses the first frame of an animation. Throws `BadPicture`.
 */
export async function makePicture(file: Buffer): Promise<Picture> {
  const pixels = await upright(decodableKind(file), file);
  const bytes = await jpeg(pixels(), 86);
  const sizes: Size[] = [];
  // One after the other, so that one CPU is busy instead of all.
  for (const width of widths) sizes.push(...(await sizesOf(pixels, width)));
  return { sha256: createHash('sha256').update(bytes).digest('hex'), media_type: mediaType, bytes, sizes };
}

async function sizesOf(pixels: () => Sharp, width: number): Promise<Size[]> {
  const resized = () => pixels().resize({ width, withoutEnlargement: true });
  const webp = resized().webp({ quality: 78, effort: 4, smartSubsample: true });
  return [
    { width, media_type: mediaType, bytes: await jpeg(resized(), 78) },
    { width, media_type: 'image/webp', bytes: await webp.toBuffer() },
  ];
}

function jpeg(image: Sharp, quality: number): Promise<Buffer> {
  return image.jpeg({ quality, mozjpeg: true }).toBuffer();
}

/** Returns a function that returns the decoded picture, within `longestEdge`. */
async function upright(kind: Kind, file: Buffer): Promise<() => Sharp> {
  await checkPixels(kind, file);
  if (kind !== 'jpeg') return decode(file, 'truncated');
  // Browsers need no end marker. libvips does; with one, it reports incomplete data before it as a warning.
  const ended = Buffer.concat([file, Buffer.from([0xff, 0xd9])]);
  try {
    return await decode(ended, 'warning');
  } catch (error) {
    if (error instanceof BadPicture && error.fault !== 'damage') throw error;
    if (/premature end/i.test((error as Error).message)) {
      throw new BadPicture('damage', 'is incomplete: its end is missing; upload it again');
    }
    return decode(ended, 'truncated');
  }
}

/** Throws `BadPicture` if a file has more pixels than a picture of its kind may have, or no readable header. */
async function checkPixels(kind: Kind, file: Buffer): Promise<void> {
  const most = kind === 'avif' ? mostPixelsOfAvif : mostPixels;
  const { width, height } = await sharp(file, { limitInputPixels: false })
    .metadata()
    .catch((error: Error) => {
      throw refusal(error);
    });
  if (width * height <= most) return;
  const megapixels = Math.ceil((width * height) / 1e6);
  const limit = kind === 'avif' ? 'the maximum for AVIF is 40; save it as JPEG' : 'the maximum is 100';
  throw new BadPicture('size', `has ${megapixels} megapixels (${width} by ${height}), ${limit}`);
}

async function decode(file: Buffer, failOn: SharpOptions['failOn']): Promise<() => Sharp> {
  const options = { failOn, limitInputPixels: mostPixels, pages: 1, sequentialRead: true };
  try {
    const { data, info } = await sharp(file, options)
      .autoOrient()
      .resize({ width: longestEdge, height: longestEdge, fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width: across, height: down, channels } = info;
    return () => sharp(data, { raw: { width: across, height: down, channels } });
  } catch (error) {
    throw refusal(error as Error);
  }
}

function refusal({ message }: Error): BadPicture {
  const reason = message.split('\n').at(-1)!;
  if (/memory|alloc/i.test(message)) return tooMuchMemory();
  return new BadPicture('damage', `cannot be decoded (${reason})`);
}
