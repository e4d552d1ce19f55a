import { deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { insert, jpegSegment, png, pngChunk, tiny } from '../testing/pictures.ts';
import { BadPicture } from './cleaned.ts';
import { exifOf, orientationIn } from './exif.ts';
import { pictureOf } from './picture.ts';

const secret = 'taken at 33.57, -117.76';
const afterHeader = 33; // of a PNG: its signature and IHDR

const refusal = (file: Buffer): BadPicture => {
  try {
    pictureOf(file);
  } catch (error) {
    if (error instanceof BadPicture) return error;
    throw error;
  }
  throw new Error('The picture was taken.');
};

/** Exif data with an orientation, and with a text that is nobody's business. */
const exif = (orientation: number, littleEndian = false) => {
  const data = exifOf(orientation);
  if (littleEndian) {
    data.write('II');
    for (const at of [2, 8, 10, 12, 18]) data.subarray(at, at + 2).reverse();
    data.subarray(4, 8).reverse();
    data.subarray(14, 18).reverse();
  }
  return Buffer.concat([data, Buffer.from(secret)]);
};

const webpChunk = (type: string, data: Buffer) => {
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2)]);
};
const webp = (...chunks: Buffer[]) => {
  const head = Buffer.from('RIFF\0\0\0\0WEBP');
  head.writeUInt32LE(4 + Buffer.concat(chunks).length, 4);
  return Buffer.concat([head, ...chunks]);
};
const extendedHeader = (flags: number, width = 2, height = 1) =>
  webpChunk('VP8X', Buffer.from([flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0]));

const gifExtension = (head: string, text: string) =>
  Buffer.from(`!${head}${String.fromCharCode(text.length)}${text}\0`, 'latin1');

describe('pictureOf', () => {
  for (const [kind, file] of Object.entries(tiny)) {
    it(`takes a ${kind} as it is where there is nothing to leave out`, () => {
      const picture = pictureOf(file);
      expect(picture.media_type).to.equal(`image/${kind}`);
      expect(picture.bytes.equals(file)).to.equal(true);
      expect(picture.sha256).to.match(/^[0-9a-f]{64}$/);
    });

    it(`leaves out what follows the end of a ${kind}`, () => {
      expect(pictureOf(Buffer.concat([file, Buffer.from(secret)])).bytes.equals(file)).to.equal(true);
    });

    it(`refuses a ${kind} that ends early, wherever`, () => {
      for (let length = 12; length < file.length; length++) {
        expect(refusal(file.subarray(0, length)).message, `${length} bytes`).to.equal('is damaged');
      }
    });

    it(`refuses a ${kind} with any one byte changed, or takes it, and never fails otherwise`, () => {
      for (let at = 0; at < file.length; at++) {
        for (const value of [0, 0x7f, 0xff]) {
          const changed = Buffer.from(file);
          changed[at] = value;
          try {
            pictureOf(changed);
          } catch (error) {
            expect(error).to.be.instanceOf(BadPicture);
          }
        }
      }
    });
  }

  it('refuses what is no picture, whatever it is called', () => {
    for (const file of [
      '',
      'GIF',
      '<svg xmlns="http://www.w3.org/2000/svg"/>',
      '%PDF-1.7',
      '\0\0\0\x1cftypheic',
    ]) {
      expect(refusal(Buffer.from(file)).fault, file).to.equal('type');
    }
  });

  it('leaves the metadata of a JPEG out, but not its colours and orientation', () => {
    const icc = jpegSegment(0xe2, 'ICC_PROFILE\0\x01\x01colours');
    const adobe = jpegSegment(0xee, 'Adobe\0d\0\0\0\0\x01');
    const noise = [
      jpegSegment(0xe1, `http://ns.adobe.com/xap/1.0/\0${secret}`),
      jpegSegment(0xed, `Photoshop 3.0\0${secret}`),
      jpegSegment(0xfe, secret),
      jpegSegment(0xe2, `MPF\0${secret}`),
    ];
    for (const [orientation, littleEndian] of [
      [6, false],
      [8, true],
      [1, false],
    ] as const) {
      const tagged = jpegSegment(
        0xe1,
        Buffer.concat([Buffer.from('Exif\0\0'), exif(orientation, littleEndian)]),
      );
      const { bytes } = pictureOf(insert(tiny.jpeg, 2, Buffer.concat([tagged, icc, ...noise, adobe])));
      const turned = jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), exifOf(orientation)]));
      const kept = Buffer.concat([orientation === 1 ? Buffer.alloc(0) : turned, icc, adobe]);
      expect(bytes.toString('hex')).to.equal(insert(tiny.jpeg, 2, kept).toString('hex'));
    }
  });

  it('leaves a preview out of a JPEG', () => {
    const preview = jpegSegment(0xe0, `JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01${'\xff'.repeat(3)}`);
    const file = Buffer.concat([tiny.jpeg.subarray(0, 2), preview, tiny.jpeg.subarray(20)]);
    expect(pictureOf(file).bytes.equals(tiny.jpeg)).to.equal(true);
  });

  it('leaves the metadata of a PNG out, but not its orientation', () => {
    const noise = [
      pngChunk('tEXt', Buffer.from(`Location\0${secret}`)),
      pngChunk('iTXt', Buffer.from(secret)),
      pngChunk('zTXt', deflateSync(Buffer.alloc(1_000_000))),
      pngChunk('iCCP', Buffer.concat([Buffer.from('x\0\0'), deflateSync(Buffer.alloc(1_000_000))])),
      pngChunk('tIME', Buffer.alloc(7)),
      pngChunk('acTL', Buffer.alloc(8)),
    ];
    const gamma = pngChunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f]));
    const file = insert(tiny.png, afterHeader, Buffer.concat([...noise, gamma, pngChunk('eXIf', exif(3))]));
    const kept = Buffer.concat([pngChunk('eXIf', exifOf(3)), gamma]);
    expect(pictureOf(file).bytes.equals(insert(tiny.png, afterHeader, kept))).to.equal(true);
  });

  it('leaves the metadata of a GIF out, but not its loops', () => {
    const [at, text] = [19, Buffer.from(`${String.fromCharCode(secret.length)}${secret}\0`)];
    const loops = Buffer.from('21ff0b4e45545343415045322e300301000000', 'hex');
    const comment = Buffer.concat([Buffer.from([0x21, 0xfe]), text]);
    const xmp = Buffer.concat([Buffer.from('\x21\xff\x0bXMP DataXMP', 'latin1'), text]);
    const { bytes } = pictureOf(insert(tiny.gif, at, Buffer.concat([comment, loops, xmp])));
    expect(bytes.equals(insert(tiny.gif, at, loops))).to.equal(true);
  });

  it('leaves the metadata of a WebP out, but not its colours and orientation', () => {
    const image = tiny.webp.subarray(12);
    const [icc, xmp] = [webpChunk('ICCP', Buffer.from('colours')), webpChunk('XMP ', Buffer.from(secret))];
    const file = (orientation: number) =>
      webp(extendedHeader(0x2c), icc, image, webpChunk('EXIF', exif(orientation)), xmp);
    expect(pictureOf(file(1)).bytes.equals(webp(extendedHeader(0x20), icc, image))).to.equal(true);
    const turned = webp(extendedHeader(0x28), icc, image, webpChunk('EXIF', exifOf(5)));
    expect(pictureOf(file(5)).bytes.equals(turned)).to.equal(true);
    expect(refusal(webp(extendedHeader(0x02), image)).message).to.equal('is a film, not a picture');
    expect(refusal(webp(extendedHeader(0x00, 200, 200), image)).message).to.equal('is damaged');
  });

  /** Parts in which text survives if a cleaner only drops the kinds that it recognizes. */
  const planted: [name: string, file: Buffer][] = [
    ...[0x02, 0x3f, 0xbf, 0xc8, 0xcc, 0xdc, 0xde, 0xdf, 0xe5, 0xf0, 0xf7, 0xfd].map(
      (code): [string, Buffer] => [
        `a JPEG's segment ${code.toString(16)}`,
        insert(tiny.jpeg, 2, jpegSegment(code, secret)),
      ],
    ),
    ["a JPEG's Adobe segment", insert(tiny.jpeg, 2, jpegSegment(0xee, `Adobe\0d\0\0\0\0\x01${secret}`))],
    ["a JPEG's quantization table", insert(tiny.jpeg, 2, jpegSegment(0xdb, `\0${'x'.repeat(64)}${secret}`))],
    ["a JPEG's Huffman table", insert(tiny.jpeg, 2, jpegSegment(0xc4, `\0${'\0'.repeat(16)}${secret}`))],
    ["a JPEG's restart interval", insert(tiny.jpeg, 2, jpegSegment(0xdd, `\0\0${secret}`))],
    ['an unknown PNG chunk', insert(tiny.png, afterHeader, pngChunk('prVt', Buffer.from(secret)))],
    ["a PNG's significant bits", insert(tiny.png, afterHeader, pngChunk('sBIT', Buffer.from(secret)))],
    [
      'many physical sizes of a PNG',
      insert(
        tiny.png,
        afterHeader,
        Buffer.concat(
          ['taken at ', '33.57, -1', '17.76....'].map((part) => pngChunk('pHYs', Buffer.from(part))),
        ),
      ),
    ],
    ["a GIF's control block", insert(tiny.gif, 19, gifExtension('\xf9', secret))],
    ["a GIF's loops", insert(tiny.gif, 19, gifExtension('\xff\x0bNETSCAPE2.0', secret))],
    ["a GIF's unknown extension", insert(tiny.gif, 19, gifExtension('\x77', secret))],
    ['an unknown WebP chunk', webp(tiny.webp.subarray(12), webpChunk('PRVT', Buffer.from(secret)))],
    [
      "a WebP's header",
      webp(
        webpChunk('VP8X', Buffer.concat([extendedHeader(0).subarray(8), Buffer.from(secret)])),
        tiny.webp.subarray(12),
      ),
    ],
    [
      "a WebP's second profile",
      webp(
        extendedHeader(0x20),
        webpChunk('ICCP', Buffer.from('colours')),
        webpChunk('ICCP', Buffer.from(secret)),
        tiny.webp.subarray(12),
      ),
    ],
  ];
  for (const [name, file] of planted) {
    it(`keeps no text that is hidden in ${name}`, () => {
      let bytes: Buffer = Buffer.alloc(0);
      try {
        ({ bytes } = pictureOf(file));
      } catch (error) {
        expect(error).to.be.instanceOf(BadPicture);
      }
      for (const part of [secret, '33.57', '17.76']) expect(bytes.includes(part), part).to.equal(false);
    });
  }

  it('reads no orientation from Exif data that leads nowhere', () => {
    for (const data of ['', 'II', 'MM\0*\xff\xff\xff\xff', `MM\0*\0\0\0\x08\xff\xff${'\0'.repeat(30)}`]) {
      expect(orientationIn(Buffer.from(data, 'latin1'))).to.equal(1);
    }
    expect(orientationIn(exifOf(9))).to.equal(1);
  });

  const zeros = deflateSync(Buffer.alloc(10_000_000), { level: 1 });
  const jpegOf = (width: number, height: number) => {
    const file = Buffer.from(tiny.jpeg);
    const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
    file.writeUInt16BE(height, frame + 5);
    file.writeUInt16BE(width, frame + 7);
    return file;
  };
  const gifOf = (frames: number) => {
    const frame = Buffer.from(tiny.gif.subarray(27, -1));
    for (const at of [5, 7]) frame.writeUInt16LE(4_000, at);
    return Buffer.concat([
      tiny.gif.subarray(0, 19),
      ...Array.from({ length: frames }, () => frame),
      Buffer.from(';'),
    ]);
  };
  const scan = tiny.jpeg.subarray(tiny.jpeg.indexOf(Buffer.from([0xff, 0xda])), -2);
  const bombs: Record<string, Buffer> = {
    'a PNG of 2,500 million pixels': png({ width: 50_000, height: 50_000, data: zeros }),
    'a PNG of 18 billion billion pixels': png({ width: 0xffff_ffff, height: 0xffff_ffff, data: zeros }),
    'a PNG that is but a line': png({ width: 10_001, height: 1, data: zeros }),
    'a JPEG of 4,295 million pixels': jpegOf(65_535, 65_535),
    'a GIF of 100 large frames': gifOf(100),
    'a JPEG of endless steps': insert(
      tiny.jpeg,
      tiny.jpeg.length - 2,
      Buffer.concat(Array.from({ length: 1_000 }, () => scan)),
    ),
    'two megabytes of 0xff': Buffer.concat([tiny.jpeg.subarray(0, 3), Buffer.alloc(1_900_000, 0xff)]),
    'two megabytes of stuffed bytes': Buffer.concat([
      tiny.jpeg.subarray(0, -2),
      Buffer.alloc(1_900_000, '\xff\0', 'latin1'),
    ]),
    'two megabytes of 0xff in a scan': Buffer.concat([
      tiny.jpeg.subarray(0, -2),
      Buffer.alloc(1_900_000, 0xff),
    ]),
    'a GIF of empty blocks': Buffer.concat([
      tiny.gif.subarray(0, 19),
      Buffer.alloc(1_900_000, '!\xf9\0', 'latin1'),
    ]),
    'a PNG of empty chunks': insert(
      tiny.png,
      afterHeader,
      Buffer.concat(Array.from({ length: 150_000 }, () => pngChunk('tEXt', Buffer.alloc(0)))),
    ).subarray(0, -1),
    'a JPEG of empty segments': insert(tiny.jpeg, 2, Buffer.alloc(1_900_000, '\xff\xfe\0\x02', 'latin1')),
    'a file of 3 MB': Buffer.concat([tiny.jpeg, Buffer.alloc(3_000_000)]),
  };
  for (const [name, file] of Object.entries(bombs)) {
    it(`refuses ${name} in an instant, without memory`, () => {
      // Its own time, in microseconds: a busy machine's other work does not count.
      const [begin, memory] = [process.cpuUsage(), process.memoryUsage().rss];
      const { fault, message } = refusal(file);
      expect(process.cpuUsage(begin).user).to.be.lessThan(100_000);
      expect(process.memoryUsage().rss - memory).to.be.lessThan(20_000_000);
      expect(fault).to.be.oneOf(['size', 'damage']);
      expect(message).to.match(/^(is|has) .*[^.]$/);
    });
  }

  it('takes a picture of 16 million pixels', () => {
    expect(pictureOf(jpegOf(4_000, 4_000)).media_type).to.equal('image/jpeg');
    expect(refusal(jpegOf(4_001, 4_000)).message).to.equal(
      'is 4001 by 4000 pixels, 16004000 in all; the most is 16 million, and 10000 a side',
    );
  });
});
