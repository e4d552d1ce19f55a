import { createReadStream } from 'node:fs';
import type { Line } from '../csv/read.ts';
import { kindOf } from './file-kinds.ts';
import { BrokenFile, standardInput, UnreadableFile } from './problems.ts';

/** A file with a longer line is not a text file. */
const longestLine = 1_000_000;

/**
 * Reads the lines of a text file: UTF-8, or UTF-16 with a byte order mark. `-` is standard input. Throws
 * `UnreadableFile`, and `BrokenFile` if the file is of another kind or encoding.
 */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let line = 0;
  let rest = '';
  for await (const { text, isText } of decoded(file)) {
    // A carriage return at the end may be the first half of a line ending.
    const lines = (rest + text).split(/\r\n|\n|\r(?=[^])/);
    rest = lines.pop()!;
    for (const whole of lines) yield checked({ line: ++line, text: whole }, isText);
    if (rest.length > longestLine) throw new BrokenFile(line + 1, 'this line is too long for a text file');
    if (!isText) checked({ line: line + 1, text: rest }, isText);
  }
  if (rest !== '') yield checked({ line: line + 1, text: rest.replace(/\r$/, '') }, true);
}

/** Like `readLines`, without blank lines and empty spreadsheet rows. */
export async function* readRows(file: string): AsyncGenerator<Line> {
  for await (const line of readLines(file)) if (!/^[\s,;]*$/.test(line.text)) yield line;
}

/** Returns the text of the last cell of a row, without the empty cells after it and without surrounding quotes. */
export function lastCell(text: string): string {
  const cell = text.replace(/[,;\s]+$/, '').trimStart();
  const [, quoted] = /^"((?:[^"]|"")*)"$/.exec(cell) ?? [];
  return quoted === undefined ? cell : quoted.replaceAll('""', '"');
}

function checked(line: Line, isText: boolean): Line {
  if (!line.text.includes('\uFFFD')) return line;
  throw new BrokenFile(
    line.line,
    isText
      ? 'a character was lost when this file was converted (�); save the original as "CSV UTF-8"'
      : 'this file is not in UTF-8 but in an older encoding such as Windows-1252; save it as "CSV UTF-8" and import that file',
  );
}

type Piece = {
  text: string;
  /** Whether all bytes up to here are valid in the encoding. */
  isText: boolean;
};

async function* decoded(file: string): AsyncGenerator<Piece> {
  let decode: ((bytes: Uint8Array | undefined) => Piece) | undefined;
  for await (const bytes of bytesOf(file)) {
    if (!decode) {
      const kind = kindOf(bytes);
      if (kind !== null) throw new BrokenFile(null, kind);
      decode = decoder(encodingOf(bytes));
    }
    yield decode(bytes);
  }
  if (decode) yield decode(undefined);
}

function encodingOf(head: Uint8Array): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  return head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : 'utf-8';
}

/** Decodes a file in chunks. Invalid bytes become U+FFFD, so that their line can be reported. */
function decoder(encoding: string): (bytes: Uint8Array | undefined) => Piece {
  const lenient = new TextDecoder(encoding);
  const strict = new TextDecoder(encoding, { fatal: true });
  let isText = true;
  return (bytes) => {
    const options = { stream: bytes !== undefined };
    try {
      if (isText) strict.decode(bytes, options);
    } catch {
      isText = false;
    }
    return { text: lenient.decode(bytes, options), isText };
  };
}

/** Enough bytes to recognize every kind of file. */
const headSize = 16_384;

/** Yields the bytes of a file in chunks. The first chunk has `headSize` bytes, or all bytes of a shorter file. */
async function* bytesOf(file: string): AsyncGenerator<Buffer> {
  const stream = file === standardInput ? process.stdin : createReadStream(file);
  let head: Buffer | undefined = Buffer.alloc(0);
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      if (!head) {
        yield bytes;
        continue;
      }
      head = Buffer.concat([head, bytes]);
      if (head.length < headSize) continue;
      yield head;
      head = undefined;
    }
  } catch (cause) {
    throw new UnreadableFile(file, cause);
  }
  if (head && head.length > 0) yield head;
}
