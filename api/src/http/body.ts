import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { Picture } from '../pictures/picture.ts';
import { jsonReader } from './json-body.ts';
import type { Route } from './route.ts';

/** The fields of a body. `picture` decodes the picture in it: call it only after the fields are validated. */
export type ReadBody = { body: unknown; picture: () => Promise<Picture | null> };

export type BodyReader = (request: Request, response: Response) => Promise<ReadBody>;

/** A body with a picture: the field that may contain it, the maximum size in bytes, and the size up to which the worker itself parses it. */
export type Upload = { field: string; limit: number; small: number };

/** Returns the reader of bodies with a picture. */
export type UploadReader = (upload: Upload) => BodyReader;

export const noPicture = () => Promise.resolve(null);

export const isForm = ({ headers }: IncomingMessage): boolean =>
  /^multipart\/form-data *;/i.test(headers['content-type'] ?? '');

/** The maximum size of a body without a picture, in bytes. */
export const maximumBody = 10_000;

/** Returns the reader of the bodies that a route declares, or undefined if it takes none. */
export function bodyReaderOf(
  { input, pictureIn: field, bodyLimit: limit = maximumBody }: Route,
  uploadReader: UploadReader,
): BodyReader | undefined {
  if (!input?.body) return undefined;
  if (field !== undefined) return uploadReader({ field, limit, small: maximumBody });
  const read = jsonReader(limit);
  return async (request, response) => {
    await read(request, response);
    return { body: request.body, picture: noPicture };
  };
}
