import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

const header = 'X-Request-Id';

/**
 * Sets the request id in the header of every response: the id from nginx, or a new one. An id that could forge a line
 * of the log is replaced.
 */
export const identify: RequestHandler = (request, response, next) => {
  const given = request.headers['x-request-id'];
  const isGood = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given);
  response.setHeader(header, isGood ? given : randomUUID());
  next();
};

/** Returns the id of the request that this response belongs to. */
export const requestId = (response: ServerResponse): string => String(response.getHeader(header));
