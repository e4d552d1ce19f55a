import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import { unsupportedMediaType } from '../errors.ts';
import { json, jsonReader } from '../http/json-body.ts';
import type { Picture } from './picture.ts';
import { accepted, boundedBody, type Pictures } from './pictures.ts';

/** The fields of a body, and a function that decodes the picture in it. Call it after the fields are validated. */
export type ReadBody = { body: unknown; picture: () => Promise<Picture | null> };

export type BodyReader = (request: Request, response: Response) => Promise<ReadBody>;

export const noPicture = () => Promise.resolve(null);

type Options = {
  pictures: Pictures;
  /** The field of the body that may contain a picture. */
  field: string;
  /** The maximum size of the body in bytes. */
  limit: number;
  /** The maximum size in bytes of JSON that is parsed in this process. */
  small: number;
};

export const isForm = ({ headers }: IncomingMessage): boolean =>
  /^multipart\/form-data *;/i.test(headers['content-type'] ?? '');

/**
 * Returns a function that reads a body with a picture. A large body is passed on to the process that decodes the
 * picture: parsing megabytes of JSON and base64 here would delay all other requests. A small body needs no process
 * unless it contains a picture.
 */
export function uploadReader({ pictures, field, limit, small }: Options): BodyReader {
  const readJson = jsonReader(small);
  return async (request, response) => {
    const { headers } = request;
    const contentType = headers['content-type'] ?? '';
    const isLarge =
      headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > small;
    if (isForm(request) || (isLarge && json.test(contentType))) {
      const { body, picture } = await pictures.upload(boundedBody(request, limit), { contentType, field });
      return { body, picture: async () => accepted(picture) };
    }
    if (isLarge) {
      throw unsupportedMediaType(
        'The body must be JSON or multipart/form-data: set the header Content-Type.',
      );
    }
    await readJson(request, response);
    const body = request.body as Record<string, unknown> | undefined;
    const text = body?.[field];
    if (typeof text !== 'string') return { body, picture: noPicture };
    return { body, picture: () => pictures.ofText(text, field) };
  };
}
