/** How a picture is to be turned for show, 1 (as it is) to 8: the one thing of its metadata that is part of how it looks. */
export type Orientation = number;

const tag = 0x0112;

/** The orientation in Exif data, which is a TIFF file without a picture (Exif 3.0, 4.6.5); 1 if there is none to be read. */
export function orientationIn(tiff: Buffer): Orientation {
  const littleEndian = tiff.toString('latin1', 0, 2) === 'II';
  const short = (at: number) => (littleEndian ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  try {
    const directory = littleEndian ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
    const entries = short(directory);
    for (let entry = 0; entry < entries; entry++) {
      const at = directory + 2 + entry * 12;
      if (short(at) !== tag) continue;
      const value = short(at + 8);
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    // It leads out of the data: whatever else it says, nobody reads it.
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}

/** Exif data that says nothing but the orientation. */
export function exifOf(orientation: Orientation): Buffer {
  // Big-endian; one directory at 8 with one entry: the tag, of type 3 (a short), one of it. No further directory.
  const head = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1];
  return Buffer.from([...head, tag >> 8, tag & 0xff, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
}
