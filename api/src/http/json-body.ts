import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import express, { type Request, type Response } from 'express';
import { badRequest, unsupportedMediaType } from './errors.ts';

/** The media types of JSON. */
export const json = /^application\/([!#$&^\w.-]+\+)?json *(;|$)/i;

/** Returns a function that parses a request's JSON into `request.body`, or undefined if there is no body. */
export function jsonReader(limit: number): (request: Request, response: Response) => Promise<void> {
  const read = promisify(
    express.json({
      limit,
      inflate: false,
      type: () => true,
      verify(_request, _response, bytes) {
        if (!isUtf8(bytes)) throw badRequest('The body is not valid UTF-8.');
      },
    }),
  );
  return async (request, response) => {
    const { headers } = request;
    const length = headers['content-length'];
    // Some clients send `Content-Length: 0` without a body. Validation decides whether a body is required.
    const hasBody = headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    if (hasBody && !json.test(headers['content-type'] ?? '')) {
      throw unsupportedMediaType('The body must be JSON, with the header Content-Type: application/json.');
    }
    await read(request, response);
  };
}
