import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { makePicture } from '../pictures/make.ts';
import { listedWidth, mediaType } from '../pictures/picture.ts';

/** A red picture of 2 by 1 pixels in each accepted format. */
export const tiny = {
  jpeg: Buffer.from(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////' +
      '////////////////////////2wBDAVVaWnhpeOuCguv/////////////////////////////////////////////////////' +
      '////////////////////wAARCAABAAIDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAA' +
      'AAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAwT/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCQA1j/2Q==',
    'base64',
  ),
  png: png({ width: 2, height: 1, data: deflateSync(Buffer.from([0, 255, 0, 0, 255, 0, 0])) }),
  gif: Buffer.from(
    '47494638396102000100f00000ff000000000021f90400000000002c0000000002000100000202040a003b',
    'hex',
  ),
  webp: Buffer.from('524946461c000000574542505650384c0f0000002f010000000710fd8ffe0722a2ff0100', 'hex'),
};

/** Builds a PNG file of 8-bit RGB. `data` is the compressed image data, whether or not it matches the dimensions. */
export function png({ width, height, data }: { width: number; height: number; data: Buffer }): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const chunks = [pngChunk('IHDR', header), pngChunk('IDAT', data), pngChunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([signature, ...chunks]);
}

export function pngChunk(type: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, checksum]);
}

export function jpegSegment(code: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload as string, 'latin1');
  return Buffer.concat([
    Buffer.from([0xff, code, (bytes.length + 2) >> 8, (bytes.length + 2) & 0xff]),
    bytes,
  ]);
}

/** Inserts `piece` at an offset of a file. */
export function insert(file: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([file.subarray(0, at), piece, file.subarray(at)]);
}

/** A picture with different colours in its corners, to be encoded. */
export function photo(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels.set([255 - (200 * x) / width, (220 * y) / height, (180 * x) / width], (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Returns the base64 of a picture as it appears in lists. */
export async function listed(file: Buffer): Promise<string> {
  const { sizes } = await makePicture(file);
  const found = sizes.find(({ width, media_type }) => width === listedWidth && media_type === mediaType);
  return found!.bytes.toString('base64');
}
