import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

const header = 'X-Request-Id';

/** Has every answer carry the request's id: the one that nginx gave, or a new one. What could forge a line of the log is no id. */
export const identify: RequestHandler = (request, response, next) => {
  const given = request.headers['x-request-id'];
  const isGood = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given);
  response.setHeader(header, isGood ? given : randomUUID());
  next();
};

/** The id of the request that is being answered. */
export const requestId = (response: ServerResponse): string => String(response.getHeader(header));
