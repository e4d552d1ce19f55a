import type { IncomingMessage } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { badRequest, tooLarge, unavailable, unprocessable, unsupportedMediaType } from '../http/errors.ts';
import { BadBody, fileOf } from './body.ts';
import { decodeIsolated, type Form, type InTurn, pictureOf, type Upload } from './isolated.ts';
import { BadPicture, type Picture } from './picture.ts';

/** Decodes pictures for one worker. */
export type Pictures = {
  /** Converts a file to a picture. Throws `BadPicture`. */
  of: (file: Buffer) => Promise<Picture>;
  /**
   * Converts the text of a field to a picture: base64 or a data URL. Null for an empty string. Throws 400, 413, 415 or
   * 422.
   */
  ofText: (text: string, field: string) => Promise<Picture | null>;
  /** Reads the body of a request and converts the picture in it. Throws 400, 413 or 503. */
  upload: (body: Readable, form: Form) => Promise<Upload>;
};

/** A body with a picture of 25 MB as base64, which may be broken into lines, and the other fields. */
export const bodyWithPicture = 37_000_000;

/** The maximum number of concurrent uploads per worker. Each holds a process with a body of up to 37 MB. */
const mostUploads = 4;

/** Decodes one picture at a time, which bounds the memory and the CPUs that decoding uses. */
export function createPictures(): Pictures {
  const inTurn = turns();
  let uploads = 0;
  return {
    of: (file) => pictureOf(file, inTurn),
    async ofText(text, field) {
      try {
        const file = fileOf(text, field);
        return file && (await pictureOf(file, inTurn));
      } catch (error) {
        return refuse(error);
      }
    },
    async upload(body, form) {
      if (uploads === mostUploads) {
        body.destroy();
        throw unavailable('Too many pictures are being uploaded at the moment: please try again shortly.');
      }
      uploads++;
      return decodeIsolated(body, form, inTurn)
        .finally(() => void uploads--)
        .catch(refuse);
    },
  };
}

function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

const errorFor = { type: unsupportedMediaType, size: tooLarge, damage: unprocessable };

/** Returns a picture, or throws the reason why it is rejected: 413, 415 or 422. */
export function accepted(picture: Upload['picture']): Picture | null {
  return picture instanceof BadPicture ? refuse(picture) : picture;
}

function refuse(error: unknown): never {
  if (error instanceof BadBody) throw badRequest(error.message);
  if (error instanceof BadPicture) throw errorFor[error.fault](`The picture ${error.message}.`);
  throw error;
}

/**
 * Returns the body of a request as a stream that fails with 413 after `limit` bytes, and with 400 if the client closes
 * the connection.
 */
export function boundedBody(request: IncomingMessage, limit: number): Readable {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge('The body is too large.');
  let length = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      done(length > limit ? tooLarge('The body is too large.') : null, chunk);
    },
  });
  request.once('close', () => {
    if (!request.complete) bounded.destroy(badRequest('The body ended early.'));
  });
  return request.pipe(bounded);
}
