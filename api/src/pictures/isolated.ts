import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { BadBody } from './body.ts';
import { decodableKind } from './kinds.ts';
import { BadPicture, type Fault, type Picture, tooMuchMemory } from './picture.ts';

/** The output of the child process. Bytes are base64. */
export type Result =
  | { body: unknown; picture: Encoded | null }
  | { body: unknown; refusal: { fault: Fault; message: string } }
  | { malformed: string };

type Encoded = Omit<Picture, 'bytes' | 'sizes'> & {
  bytes: string;
  sizes: { width: number; media_type: string; bytes: string }[];
};

/** The fields of a body without the picture, and the picture or the reason why it is rejected. */
export type Upload = { body: unknown; picture: Picture | BadPicture | null };

/** The child failed for a reason other than the picture. */
export class BrokenDecoder extends Error {
  constructor(code: number | null, errors: string) {
    const reason = /^\w*Error: .*$/m.exec(errors)?.[0] ?? errors.slice(-500);
    super(
      `Pictures cannot be decoded: the decoder ended with exit status ${code} (${reason}). The release or its native library in node_modules/@img is damaged or does not fit this machine: deploy it again, or build another.`,
    );
  }
}

/** The content type of a body, and the field that contains the picture. */
export type Form = { contentType: string; field: string };

/**
 * Limits of one child, in MB and seconds. A progressive JPEG of 100 megapixels takes 660 MB and 5 s. Node reserves 600
 * MB that it does not use.
 */
export const mostMemory = 1_400;
const mostSeconds = 30;

/** A release ships the child's program next to its own. */
function program(): string {
  const shipped = fileURLToPath(new URL('./pictures.mjs', import.meta.url));
  return existsSync(shipped) ? shipped : fileURLToPath(new URL('./child.ts', import.meta.url));
}

/** Runs work when its turn comes. */
export type InTurn = <Value>(work: () => Promise<Value>) => Promise<Value>;

/** Converts a file to a picture, in a separate process. Throws `BadPicture`. */
export async function pictureOf(file: Buffer, inTurn?: InTurn): Promise<Picture> {
  decodableKind(file);
  const { picture } = await decodeIsolated(Readable.from([file]), null, inTurn);
  if (picture instanceof BadPicture) throw picture;
  return picture!;
}

/**
 * Reads a body and converts the picture in it, in a separate process, because decoders are native code that parses
 * untrusted files. A file that takes too much memory or time, or crashes the decoder, only ends that process. The
 * process has an empty environment. It collects the body as it arrives, and decodes `inTurn`. Without `form` the body
 * is the picture. Throws `BadBody`, `BadPicture` if time or memory run out, and the errors of `source`.
 */
export async function decodeIsolated(
  source: Readable,
  form: Form | null,
  inTurn: InTurn = (work) => work(),
): Promise<Upload> {
  const child = start(form ? [form.contentType, form.field] : []);
  try {
    // The child may end before the body does. In this case it has reported the reason.
    await pipeline(source, child.stdin, { end: false }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
    });
    return await inTurn(() => {
      child.stdin.end();
      return child.result(mostSeconds);
    });
  } finally {
    child.kill();
  }
}

function start(args: string[]) {
  const limits = `ulimit -d ${mostMemory * 1024} && ulimit -t ${mostSeconds} && exec "$0" "$@"`;
  const node = [process.execPath, '--max-old-space-size=192', '--disable-warning=ExperimentalWarning'];
  const child = spawn('/bin/sh', ['-c', limits, ...node, program(), ...args], {
    env: { MALLOC_ARENA_MAX: '2' },
  });
  const kill = () => void child.kill('SIGKILL');
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal }));
  });
  const outcome = Promise.all([text(child.stdout), text(child.stderr), ended]);
  outcome.catch(() => undefined);

  const result = async (seconds: number): Promise<Upload> => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, seconds * 1_000);
    const [output, errors, { code, signal }] = await outcome.finally(() => clearTimeout(timer));
    if (code === 0) return uploadOf(JSON.parse(output) as Result);
    if (isLate || signal === 'SIGXCPU') {
      throw new BadPicture('size', `takes longer than ${seconds} s to decode; save it as JPEG, or smaller`);
    }
    // V8 exits with 134 when its heap is full.
    if (signal !== null || code === 134) throw tooMuchMemory();
    throw new BrokenDecoder(code, errors);
  };
  return { stdin: child.stdin, kill, result };
}

async function text(stream: Readable): Promise<string> {
  return Buffer.concat(await stream.toArray()).toString();
}

function uploadOf(result: Result): Upload {
  if ('malformed' in result) throw new BadBody(result.malformed);
  const { body } = result;
  if ('refusal' in result) {
    return { body, picture: new BadPicture(result.refusal.fault, result.refusal.message) };
  }
  return { body, picture: result.picture && decoded(result.picture) };
}

function decoded({ bytes, sizes, ...picture }: Encoded): Picture {
  const buffer = (base64: string) => Buffer.from(base64, 'base64');
  return {
    ...picture,
    bytes: buffer(bytes),
    sizes: sizes.map((size) => ({ ...size, bytes: buffer(size.bytes) })),
  };
}
