import type { ErrorRequestHandler, RequestHandler } from 'express';
import Joi from 'joi';
import { notFound, refusalOf } from './errors.ts';
import { causeOf, type Log } from '../log.ts';
import { answer } from './answer.ts';
import { requestId } from './request-id.ts';

export type Failure = { success: false; message: string };

/** The body of every error response. */
export const failureSchema = Joi.object<Failure, true>({
  success: Joi.boolean().valid(false).required(),
  message: Joi.string().required().description('One sentence that describes the problem.'),
}).meta({
  component: 'Failure',
  example: { success: false, message: 'There is nothing at this address.' },
});

/** The handler for paths that match no route. */
export const nothingHere: RequestHandler = () => {
  throw notFound('There is nothing at this address.');
};

/**
 * Sends the response for any thrown value. `suspect` is called with failures that the database may have caused, and
 * logs their cause once.
 */
export function failures(log: Log, suspect: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const { status, message, unexpected } = refusalOf(error);
    if (status === 503) suspect(error);
    if (unexpected) {
      log.error('request failed', {
        requestId: requestId(response),
        method: request.method,
        ...causeOf(error),
      });
    }
    // Too late for an error response. The missing end tells the client that the body is incomplete.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    if (status === 503) response.setHeader('Retry-After', '1');
    answer(response, status, { success: false, message } satisfies Failure);
  };
}
