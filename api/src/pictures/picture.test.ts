import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { PassThrough } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import sharp from 'sharp';
import { jpegSegment, insert, photo, png, pngChunk, tiny } from '../testing/pictures.ts';
import { decodeIsolated, mostMemory, pictureOf } from './isolated.ts';
import { kindOf } from './kinds.ts';
import { makePicture } from './make.ts';
import { BadPicture, mostBytes, type Picture, widths } from './picture.ts';

const secret = 'taken at 33.57, -117.76';
const afterHeader = 33; // the signature and IHDR of a PNG

const refusal = async (made: Promise<unknown>): Promise<BadPicture> => {
  try {
    await made;
  } catch (error) {
    if (error instanceof BadPicture) return error;
    throw error;
  }
  throw new Error('The picture was accepted.');
};

const colourOf = async (file: Buffer, left = 0, top = 0): Promise<number[]> => {
  const pixel = sharp(file).extract({ left, top, width: 1, height: 1 }).toColourspace('srgb').removeAlpha();
  return [...(await pixel.raw().toBuffer())];
};
const near = (colour: number[], expected: number[]) =>
  colour.forEach((value, at) => expect(value, JSON.stringify(colour)).to.be.closeTo(expected[at]!, 12));

/** The first box of a file with these brands. */
const heif = (...brands: string[]) => {
  const box = Buffer.from(`\0\0\0\0ftyp${brands[0]}\0\0\0\0${brands.join('')}`, 'latin1');
  box.writeUInt32BE(box.length);
  return Buffer.concat([box, Buffer.alloc(100)]);
};

describe('makePicture', function () {
  this.timeout(20_000);

  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    it(`makes an upright JPEG in sRGB, with smaller sizes, of a ${format}`, async () => {
      const file = await photo(800, 600).toFormat(format).toBuffer();
      expect(kindOf(file)).to.equal(format);
      const picture = await makePicture(file);
      expect(picture.media_type).to.equal('image/jpeg');
      expect(picture.sha256).to.match(/^[0-9a-f]{64}$/);
      expect(await sharp(picture.bytes).metadata()).to.include({ format: 'jpeg', width: 800, space: 'srgb' });
      const sizes = picture.sizes.map(({ width, media_type }) => `${width} ${media_type}`);
      expect(sizes).to.deep.equal(widths.flatMap((width) => [`${width} image/jpeg`, `${width} image/webp`]));
      for (const { width, media_type, bytes } of picture.sizes) {
        const found = await sharp(bytes).metadata();
        expect(found.format).to.equal(media_type.slice(6));
        // Never enlarged.
        expect(found.width).to.equal(Math.min(width, 800));
      }
      near(await colourOf(picture.bytes, 100, 100), await colourOf(file, 100, 100));
    });
  }

  it('bounds the longest edge', async () => {
    const wide = await makePicture(await photo(4_000, 1_000).jpeg().toBuffer());
    expect(await sharp(wide.bytes).metadata()).to.include({ width: 1_600, height: 400 });
    const tall = await makePicture(await photo(500, 5_000).jpeg().toBuffer());
    expect(await sharp(tall.bytes).metadata()).to.include({ width: 160, height: 1_600 });
  });

  it('turns a photo upright', async () => {
    const file = await photo(60, 40).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const { bytes } = await makePicture(file);
    const { width, height, orientation } = await sharp(bytes).metadata();
    expect([width, height, orientation]).to.deep.equal([40, 60, undefined]);
    // The top left of the file is now the top right.
    near(await colourOf(bytes, 36, 3), await colourOf(file, 3, 3));
  });

  it('converts the colours of a profile, of CMYK, and of 16 bits', async () => {
    const red = sharp({ create: { width: 8, height: 8, channels: 3, background: '#ff0000' } });
    const p3 = await red.clone().withIccProfile('p3').png().toBuffer();
    near(
      await colourOf(await red.clone().withIccProfile('p3', { attach: false }).png().toBuffer()),
      [234, 51, 35],
    );
    near(await colourOf((await makePicture(p3)).bytes), [255, 0, 0]);
    const cmyk = await red.clone().toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(cmyk).metadata()).space).to.equal('cmyk');
    near((await colourOf((await makePicture(cmyk)).bytes)).slice(0, 1), [240]);
    const deep = await red.clone().toColourspace('rgb16').png().toBuffer();
    near(await colourOf((await makePicture(deep)).bytes), [255, 0, 0]);
  });

  it('replaces transparency by white', async () => {
    const clear = { r: 0, g: 0, b: 0, alpha: 0 };
    const file = sharp({ create: { width: 8, height: 8, channels: 4, background: clear } });
    near(await colourOf((await makePicture(await file.png().toBuffer())).bytes), [255, 255, 255]);
  });

  it('removes all metadata', async () => {
    const exif = {
      IFD0: { Copyright: secret, ImageDescription: secret },
      IFD3: { GPSAreaInformation: secret },
    };
    const tagged = photo(60, 40)
      .withExif(exif)
      .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/">${secret}</x:xmpmeta>`);
    const icc = Buffer.concat([Buffer.from('ICC_PROFILE\0\x01\x01'), Buffer.from(secret)]);
    const files = [
      await tagged.clone().jpeg().toBuffer(),
      await tagged.clone().png().toBuffer(),
      await tagged.clone().webp().toBuffer(),
      await tagged.clone().tiff().toBuffer(),
      await tagged.clone().avif().toBuffer(),
      insert(tiny.jpeg, 2, jpegSegment(0xfe, secret)),
      insert(tiny.jpeg, 2, jpegSegment(0xe2, icc)),
      insert(tiny.png, afterHeader, pngChunk('tEXt', Buffer.from(`Location\0${secret}`))),
      insert(tiny.gif, 19, Buffer.from(`!\xfe${String.fromCharCode(secret.length)}${secret}\0`, 'latin1')),
      Buffer.concat([tiny.jpeg, Buffer.from(secret)]),
    ];
    for (const file of files) {
      expect(file.includes(secret)).to.equal(true);
      const { bytes, sizes } = await makePicture(file);
      for (const made of [bytes, ...sizes.map((size) => size.bytes)]) {
        expect(made.includes(secret)).to.equal(false);
        const { exif, icc, xmp, iptc } = await sharp(made).metadata();
        expect({ exif, icc, xmp, iptc }).to.deep.equal({
          exif: undefined,
          icc: undefined,
          xmp: undefined,
          iptc: undefined,
        });
      }
    }
  });

  it('accepts a JPEG without its end marker and a GIF without its trailer, as browsers do', async () => {
    const jpeg = await photo(300, 200).jpeg().toBuffer();
    expect(jpeg.subarray(-2).toString('hex')).to.equal('ffd9');
    const whole = await makePicture(jpeg);
    expect((await makePicture(jpeg.subarray(0, -2))).sha256).to.equal(whole.sha256);
    const gif = await photo(300, 200).gif().toBuffer();
    expect(gif.at(-1)).to.equal(0x3b);
    expect((await makePicture(gif.subarray(0, -1))).bytes).to.have.length.above(500);
  });

  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    it(`rejects half a ${format}`, async () => {
      const file = await photo(300, 200).toFormat(format).toBuffer();
      const { fault, message } = await refusal(makePicture(file.subarray(0, file.length / 2)));
      expect(fault).to.equal('damage');
      expect(message).to.match(/^(is incomplete|cannot be decoded) ?.*[^.]$/);
    });
  }

  it('rejects corrupted files with BadPicture only', async () => {
    for (const file of Object.values(tiny)) {
      for (let at = 0; at < file.length; at += 3) {
        const changed = Buffer.from(file);
        changed[at] = 0xff;
        await makePicture(changed).catch((error: unknown) => expect(error).to.be.instanceOf(BadPicture));
      }
    }
  });

  it('explains how to convert HEIC', async () => {
    for (const brands of [['heic', 'mif1'], ['mif1', 'heic'], ['heix'], ['hevc'], ['mif1']]) {
      const { fault, message } = await refusal(makePicture(heif(...brands)));
      expect(fault).to.equal('type');
      expect(message).to.match(/^is a HEIC file.*convert it to JPEG: on an iPhone .*Most Compatible/);
    }
    expect(kindOf(heif('mif1', 'avif'))).to.equal('avif');
  });

  it('rejects files that are not pictures, regardless of their name', async () => {
    for (const file of ['', 'GIF', '<svg xmlns="http://www.w3.org/2000/svg"/>', '%PDF-1.7', heif('isom')]) {
      expect((await refusal(makePicture(Buffer.from(file)))).fault).to.equal('type');
    }
  });
});

describe('pictureOf', function () {
  this.timeout(60_000);

  it('produces the same picture in a separate process, and decodes nothing in this one', async () => {
    const file = await photo(600, 400).resize(6_000, 4_000).jpeg().toBuffer();
    const times: number[] = [];
    let picture: Picture | undefined;
    // The least of three: a busy host and the garbage of earlier tests add to the time, but decoding would take as long each time.
    for (let turn = 0; turn < 3; turn++) {
      const begin = process.cpuUsage();
      picture = await pictureOf(file);
      times.push(process.cpuUsage(begin).user / 1_000);
    }
    // Decoding and encoding takes at least 300 ms.
    expect(Math.min(...times), times.join(', ')).to.be.below(150);
    expect(picture?.sizes).to.have.length(6);
    expect(picture).to.deep.equal(await makePicture(file));
  });

  it('passes no environment to that process', async () => {
    process.env['LD_PRELOAD'] = '/nonexistent.so';
    try {
      await pictureOf(tiny.png);
    } finally {
      delete process.env['LD_PRELOAD'];
    }
  });

  const zeros = (length: number) => deflateSync(Buffer.alloc(length), { level: 1 });
  const row = 10_000 * 3 + 1;
  const interlaced = (() => {
    // 16 bits in each of four channels, which a decoder has to hold in memory.
    const file = png({ width: 10_000, height: 10_000, data: zeros(80_000_000) });
    file.set([16, 6, 0, 0, 1], 24);
    return file;
  })();
  const withChecksum = (file: Buffer) => {
    const header = pngChunk('IHDR', file.subarray(16, 29));
    return Buffer.concat([file.subarray(0, 8), header, file.subarray(33)]);
  };
  const frames = async (count: number) => {
    const gif = await photo(20, 20).resize(2_000, 2_000, { kernel: 'nearest' }).gif().toBuffer();
    const frame = gif.subarray(gif.indexOf(Buffer.from([0x21, 0xf9])), -1);
    return Buffer.concat([
      gif.subarray(0, -1),
      ...Array.from({ length: count }, () => frame),
      gif.subarray(-1),
    ]);
  };
  it('refuses an AVIF of more than 40 megapixels by its header', async () => {
    const file = await photo(80, 60).avif().toBuffer();
    // The box `ispe` has the width and height (ISO/IEC 23008-12, 6.5.3).
    const size = file.indexOf('ispe') + 8;
    file.writeUInt32BE(8_000, size);
    file.writeUInt32BE(6_000, size + 4);
    const { fault, message } = await refusal(pictureOf(file));
    expect(fault).to.equal('size');
    expect(message).to.equal('has 48 megapixels (8000 by 6000), the maximum for AVIF is 40; save it as JPEG');
  });

  const eventually = async (isDone: () => boolean, otherwise: string) => {
    for (const end = Date.now() + 30_000; !isDone(); await setTimeout(50))
      expect(Date.now(), otherwise).to.be.below(end);
  };
  /** The processes that this one has started: proc_pid_task(5). */
  const children = (): number[] =>
    (readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').match(/\d+/g) ?? []).map(Number);

  it('limits the time and memory of that process, which the kernel kills first, and ends it with the upload', async () => {
    const others = children();
    const source = new PassThrough();
    const upload = decodeIsolated(source, null).catch((error: Error) => error.message);
    const child = children().find((id) => !others.includes(id))!;
    const about = (file: string) => readFileSync(`/proc/${child}/${file}`, 'utf8');
    try {
      await eventually(() => about('oom_score_adj') === '1000\n', 'the kernel does not kill it first');
      // The shell that sets the limits adds its folder.
      expect(about('environ')).to.match(/^MALLOC_ARENA_MAX=2\0PWD=[^\0]*\0$/);
      expect(about('limits'))
        .to.match(/Max cpu time +30 +30 /)
        .and.to.match(new RegExp(`Max data size +${mostMemory * 1024 ** 2} `));
      // Otherwise it might end by itself, because its input does.
      process.kill(child, 'SIGSTOP');
      source.destroy(new Error('the client has left'));
      expect(await upload).to.equal('the client has left');
      await eventually(() => !children().includes(child), 'it still runs');
    } finally {
      if (children().includes(child)) process.kill(child, 'SIGKILL');
    }
  });

  it('lowers the priority of that process', async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('./child.ts', import.meta.url))]);
    try {
      const isLow = () => getPriority(child.pid) === constants.priority.PRIORITY_LOW;
      await eventually(isLow, 'it has the priority of its parent');
    } finally {
      child.kill();
    }
  });

  // One case per line.
  // prettier-ignore
  const bombs: [what: string, file: () => Buffer | Promise<Buffer>, fault: string | null][] = [
    ['a PNG of 2,500 megapixels', () => png({ width: 50_000, height: 50_000, data: zeros(10_000_000) }), 'size'],
    ['a PNG of 18 exapixels', () => png({ width: 0xffff_ffff, height: 0xffff_ffff, data: zeros(9) }), 'damage'],
    ['a PNG of 100 megapixels in 1.4 MB', () => png({ width: 10_000, height: 10_000, data: zeros(row * 10_000) }), null],
    ['an interlaced PNG that needs 800 MB', () => withChecksum(interlaced), 'damage|size'],
    ['a PNG with a profile of 1 GB', () =>
      insert(tiny.png, afterHeader, pngChunk('iCCP', Buffer.concat([Buffer.from('x\0\0'), zeros(1_000_000_000)]))), null],
    ['a GIF of 30 large frames', () => frames(30), null],
    ['a file of 26 MB', () => Buffer.concat([tiny.jpeg, Buffer.alloc(mostBytes)]), 'size'],
    ['a JPEG of 25 MB without data', () => Buffer.concat([tiny.jpeg.subarray(0, 3), Buffer.alloc(25_000_000, 0xff)]), 'damage'],
    ['a JPEG of 4,295 megapixels', () => {
      const file = Buffer.from(tiny.jpeg);
      file.set([0xff, 0xff, 0xff, 0xff], file.indexOf(Buffer.from([0xff, 0xc0])) + 5);
      return file;
    }, 'damage'],
    ['a JPEG of 100,000 scans', () => {
      const scan = tiny.jpeg.subarray(tiny.jpeg.indexOf(Buffer.from([0xff, 0xda])), -2);
      return insert(tiny.jpeg, tiny.jpeg.length - 2, Buffer.concat(Array.from({ length: 100_000 }, () => scan)));
    }, 'damage|null'],
  ];
  for (const [what, file, fault] of bombs) {
    it(`bounds the time and memory of ${what}`, async () => {
      const bytes = await file();
      const [begin, memory] = [process.cpuUsage(), process.memoryUsage().rss];
      const { fault: actual } = await refusal(pictureOf(bytes)).catch(() => ({ fault: 'null' }));
      expect(actual).to.be.oneOf((fault ?? 'null').split('|'));
      // Of this process.
      expect(process.cpuUsage(begin).user / 1_000).to.be.below(400);
      expect(process.memoryUsage().rss - memory).to.be.below(80_000_000);
    });
  }
});
