/** A file of an archive. A name that ends in a slash is a folder. */
export type Entry = { name: string; bytes: Uint8Array };

const blockSize = 512;
/** 1 January 2000. Tar warns about files from 1970. */
const fileTime = 946_684_800;

/**
 * Creates a POSIX ustar archive, sorted by name, owned by root, with constant modes and times: the same files always
 * give the same bytes. Names are ASCII of at most 100 characters.
 */
export function tar(entries: Entry[]): Buffer {
  return Buffer.concat([openTar(entries), Buffer.alloc(2 * blockSize)]);
}

/** Creates an archive without its end, so that another archive can follow. */
export function openTar(entries: Entry[]): Buffer {
  const blocks = entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => [header(entry), entry.bytes, Buffer.alloc(-entry.bytes.length & (blockSize - 1))]);
  return Buffer.concat(blocks);
}

function header({ name, bytes }: Entry): Buffer {
  const folder = name.endsWith('/');
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, offset: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), offset);
  block.write(name, 0);
  octal(folder ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(bytes.length, 124, 12);
  octal(fileTime, 136, 12);
  block.write(folder ? '5' : '0', 156);
  block.write('ustar\x0000', 257);
  block.fill(' ', 148, 156); // the checksum counts itself as blanks
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  block[154] = 0;
  return block;
}
