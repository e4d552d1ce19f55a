import createError from 'http-errors';
import { trouble } from './database/trouble.ts';

/** The request is malformed or invalid. */
export const badRequest = (message: string) => createError(400, message);
/** Nobody is signed in. */
export const unauthorized = (message: string) => createError(401, message);
/** Whoever is signed in may not. */
export const forbidden = (message: string) => createError(403, message);
export const notFound = (message: string) => createError(404, message);
export const methodNotAllowed = (message: string) => createError(405, message);
export const conflict = (message: string) => createError(409, message);
/** What was here is so no longer, and for good. */
export const gone = (message: string) => createError(410, message);
/** A condition of the request's headers does not hold. */
export const preconditionFailed = (message: string) => createError(412, message);
export const tooLarge = (message: string) => createError(413, message);
export const unsupportedMediaType = (message: string) => createError(415, message);
/** The request is well-formed and asks for something impossible. */
export const unprocessable = (message: string) => createError(422, message);
export const unavailable = (message: string) => createError(503, message, { expose: true });

/** Makes a database's complaint of a second row that must be the only one into a 409 with a sentence that says of what. */
export const onDuplicate =
  (message: string) =>
  (error: unknown): never => {
    throw (error as { code?: unknown }).code === '23505' ? conflict(message) : error;
  };

/** What a client is told about a failure. `unexpected` failures are ours: their cause belongs in the log. */
export type Refusal = { status: number; message: string; unexpected: boolean };

/** Turns whatever was thrown into a status and one sentence that gives nothing away: no stack, no SQL, no value of a column. */
export function refusalOf(error: unknown): Refusal {
  if (trouble(error))
    return refusal(503, 'The database is not available at the moment: please try again shortly.');
  const { code, type, status, message } = error as {
    code?: string;
    type?: string;
    status?: number;
    message?: string;
  };
  const known = (code && postgresql[code]) || (type && bodyParser[type]);
  if (known) return refusal(...known);
  if (createError.isHttpError(error) && error.expose) return refusal(error.status, error.message);
  // Express's own, such as a path whose percent-encoding is broken.
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
  '22021': [400, 'A text holds a character that cannot be stored.'],
  '22P05': [400, 'A text holds a character that cannot be stored.'],
  '23503': [409, 'Something that this depends on does not exist, or is still in use.'],
  '23505': [409, 'This exists already.'],
  '23514': [422, 'A value is not possible here.'],
};

/** https://github.com/expressjs/body-parser#errors */
const bodyParser: Record<string, [status: number, message: string]> = {
  'charset.unsupported': [415, 'The body must be JSON in UTF-8.'],
  'encoding.unsupported': [415, 'The body must not be compressed.'],
  'entity.parse.failed': [400, 'The body is not valid JSON.'],
  'entity.too.large': [413, 'The body is too large.'],
  'request.aborted': [400, 'The body ended early.'],
  'request.size.invalid': [400, 'The body is not as long as it was said to be.'],
};
