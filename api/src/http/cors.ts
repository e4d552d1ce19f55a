import type { RequestHandler } from 'express';

/** What both clients send, the last one by a slip of theirs: without it in the list no call of theirs gets through from another origin. */
const headers = 'content-type, authorization, access-control-allow-origin, idempotency-key';
const methods = 'GET, POST, PATCH, DELETE';

/** Lets pages of the listed origins call the API, never with credentials, and answers every preflight. */
export function cors(origins: ReadonlySet<string>): RequestHandler {
  const any = origins.has('*');
  return (request, response, next) => {
    const { origin } = request.headers;
    if (!any) response.setHeader('Vary', 'Origin');
    if (origin !== undefined && (any || origins.has(origin))) {
      response.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
      response.setHeader('Access-Control-Expose-Headers', 'x-request-id');
    }
    if (request.method !== 'OPTIONS') return next();
    response.setHeader('Access-Control-Allow-Methods', methods);
    response.setHeader('Access-Control-Allow-Headers', headers);
    response.setHeader('Access-Control-Max-Age', '600');
    response.statusCode = 204;
    response.end();
  };
}
