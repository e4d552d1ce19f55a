import type { RequestHandler } from 'express';

/**
 * Unreserved characters: letters, digits and -._~ have the same meaning with and without percent-encoding (RFC 3986,
 * 6.2.2.2).
 */
const encodedUnreserved = /%(2[DE]|3\d|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])/gi;

/**
 * Normalizes the percent-encoding of a path, so that each route matches all equivalent forms. The query is left
 * unchanged.
 */
export const normalizePath: RequestHandler = (request, _response, next) => {
  if (!request.url.includes('%')) return next();
  const mark = request.url.indexOf('?');
  const path = mark < 0 ? request.url : request.url.slice(0, mark);
  const normal = path.replace(encodedUnreserved, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  request.url = normal + request.url.slice(path.length);
  next();
};
