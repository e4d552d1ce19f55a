import createError from 'http-errors';
import { KeyReused } from '../database/claim.ts';
import { DiskFull, nothingStored } from '../database/disk.ts';
import { trouble } from '../database/trouble.ts';

/** The request is malformed or invalid. */
export const badRequest = (message: string) => createError(400, message);
/** The client is not signed in. */
export const unauthorized = (message: string) => createError(401, message);
/** The client is signed in, but not authorized. */
export const forbidden = (message: string) => createError(403, message);
export const notFound = (message: string) => createError(404, message);
export const methodNotAllowed = (message: string) => createError(405, message);
export const conflict = (message: string) => createError(409, message);
/** The resource no longer exists, permanently. */
export const gone = (message: string) => createError(410, message);
/** A precondition in the request's headers is false. */
export const preconditionFailed = (message: string) => createError(412, message);
export const tooLarge = (message: string) => createError(413, message);
export const unsupportedMediaType = (message: string) => createError(415, message);
/** The request is well-formed, but cannot be processed. */
export const unprocessable = (message: string) => createError(422, message);
export const unavailable = (message: string) => createError(503, message, { expose: true });

/** Converts the database's unique violation into a 409 with this message. */
export const onDuplicate =
  (message: string) =>
  (error: unknown): never => {
    throw (error as { code?: unknown }).code === '23505' ? conflict(message) : error;
  };

/** The response to a failure. `unexpected` failures are bugs or outages on the server: their cause must be logged. */
export type Refusal = { status: number; message: string; unexpected: boolean };

/** Converts any thrown value to a status and one sentence that leaks nothing: no stack, no SQL, no column value. */
export function refusalOf(error: unknown): Refusal {
  if (trouble(error))
    return refusal(503, 'The database is not available at the moment: please try again shortly.');
  if (error instanceof KeyReused) {
    return refusal(422, 'This Idempotency-Key was used for another request: use a new key for each request.');
  }
  if (error instanceof DiskFull) return refusal(503, nothingStored);
  const { code, type, status, message } = error as {
    code?: string;
    type?: string;
    status?: number;
    message?: string;
  };
  const known = (code && postgresql[code]) || (type && bodyParser[type]);
  if (known) return refusal(...known);
  if (createError.isHttpError(error) && error.expose) return refusal(error.status, error.message);
  // Express's own errors, such as a path with invalid percent-encoding.
  if (status === 400 && message) return refusal(400, 'The address is malformed.');
  return {
    status: 500,
    message: 'Something went wrong on our side: the cause is in the log.',
    unexpected: true,
  };
}

function refusal(status: number, message: string): Refusal {
  return { status, message, unexpected: false };
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const postgresql: Record<string, [status: number, message: string]> = {
  '22003': [400, 'A number is out of range.'],
  '22021': [400, 'A text contains a character that cannot be stored.'],
  '22P05': [400, 'A text contains a character that cannot be stored.'],
  '23503': [409, 'A referenced item does not exist, or is still in use.'],
  '23505': [409, 'This already exists.'],
  '23514': [422, 'A value is not allowed here.'],
};

/** https://github.com/expressjs/body-parser#errors */
const bodyParser: Record<string, [status: number, message: string]> = {
  'charset.unsupported': [415, 'The body must be JSON in UTF-8.'],
  'encoding.unsupported': [415, 'The body must not be compressed.'],
  'entity.parse.failed': [400, 'The body is not valid JSON.'],
  'entity.too.large': [413, 'The body is too large.'],
  'request.aborted': [400, 'The body ended early.'],
  'request.size.invalid': [400, 'The body does not have the length in the header Content-Length.'],
};
