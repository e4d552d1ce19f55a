import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { mostBytes } from './picture.ts';

/** The body of a request is malformed. The message is a sentence for the client. */
export class BadBody extends Error {}

/** The fields of a body, and the file in one of them: null if that field is missing or empty. */
export type Fields = { body: unknown; file: Buffer | null };

/**
 * Reads a body of JSON or multipart/form-data with a picture in `field`: base64, a data URL, or a file. In `body` that
 * field becomes an empty string; a value of another type is left as it is. Throws `BadBody`.
 */
export async function readFields(source: Readable, contentType: string, field: string): Promise<Fields> {
  const isForm = /^multipart\/form-data/i.test(contentType);
  return isForm ? fromForm(source, contentType, field) : fromJson(await whole(source), field);
}

export async function whole(source: Readable): Promise<Buffer> {
  return Buffer.concat(await source.toArray());
}

function fromJson(bytes: Buffer, field: string): Fields {
  if (!isUtf8(bytes)) throw new BadBody('The body is not valid UTF-8.');
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString());
  } catch {
    throw new BadBody('The body is not valid JSON.');
  }
  return withFile(body, field);
}

function withFile(body: unknown, field: string): Fields {
  const text = (body as Record<string, unknown> | null)?.[field];
  if (typeof text !== 'string') return { body, file: null };
  return { body: { ...(body as object), [field]: '' }, file: fileOf(text, field) };
}

/** Decodes base64 or a base64 data URL, whose declared type is ignored. Null for an empty string. */
export function fileOf(text: string, field: string): Buffer | null {
  const encoded = text.replace(/^\s*data:[^,]{0,200};base64,/i, '').replace(/\s+/g, '');
  if (encoded === '') return null;
  if (!/^[\w+/-]+={0,2}$/.test(encoded)) {
    throw new BadBody(`${field} must be a picture, as base64 or as a data URL with base64.`);
  }
  return Buffer.from(encoded, 'base64');
}

const formLimits = { fields: 20, fieldSize: 40_000_000, files: 2, parts: 22, headerPairs: 20 };

async function fromForm(source: Readable, contentType: string, field: string): Promise<Fields> {
  const body: Record<string, unknown> = {};
  let file: Buffer | null = null;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => {
      source.unpipe();
      reject(error);
    };
    const malformed = () => fail(new BadBody('The body is not valid multipart/form-data.'));
    const tooMany = () => fail(new BadBody('The body has too many fields.'));
    const put = (name: string, value: string) => {
      if (Object.hasOwn(body, name)) fail(new BadBody(`${name} must not appear twice.`));
      body[name] = value;
    };
    let form: busboy.Busboy;
    try {
      form = busboy({
        headers: { 'content-type': contentType },
        // One byte above the maximum is enough to reject the picture for its size.
        limits: { ...formLimits, fileSize: mostBytes + 1 },
      });
    } catch {
      return malformed();
    }
    form.on('field', put);
    form.on('file', (name, stream) => {
      put(name, '');
      void stream.toArray().then((chunks: Buffer[]) => {
        if (name === field) file = Buffer.concat(chunks);
      }, malformed);
    });
    for (const event of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) form.on(event, tooMany);
    form.on('error', malformed).on('close', resolve);
    source.pipe(form);
  });
  const uploaded = file as Buffer | null;
  return uploaded && uploaded.length > 0 ? { body, file: uploaded } : withFile(body, field);
}
