import type { ErrorRequestHandler, RequestHandler } from 'express';
import Joi from 'joi';
import { notFound, refusalOf } from '../errors.ts';
import { causeOf, type Log } from '../log.ts';
import { answer } from './answer.ts';
import { requestId } from './request-id.ts';

export type Failure = { success: false; message: string };

/** The body of every answer that is not a success. */
export const failureSchema = Joi.object<Failure, true>({
  success: Joi.boolean().valid(false).required(),
  message: Joi.string().required().description('One sentence that says what is wrong.'),
}).meta({
  component: 'Failure',
  example: { success: false, message: 'There is nothing at this address.' },
});

/** For addresses that no route has. */
export const nothingHere: RequestHandler = () => {
  throw notFound('There is nothing at this address.');
};

/** Answers whatever was thrown. `suspect` is told of each failure that may lie with the database, and logs its cause once. */
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
    // Too late for an answer. Without its end the client knows that the body is not whole.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    if (status === 503) response.setHeader('Retry-After', '1');
    answer(response, status, { success: false, message } satisfies Failure);
  };
}
