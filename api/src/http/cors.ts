import type { RequestHandler } from 'express';

// nginx repeats these for its own responses: roles/nginx/templates/site.conf.j2.

/** Both clients send the third by mistake. Without it in the list no call of theirs is allowed from another origin. */
export const allowedHeaders =
  'content-type, authorization, access-control-allow-origin, idempotency-key, if-none-match';
export const allowedMethods = 'GET, POST, PATCH, DELETE';
/** Response headers that scripts of another origin may read, beside those that browsers always allow. */
export const exposedHeaders = 'ETag, Link, Retry-After, X-Request-Id';
const preflightSeconds = '600';

/** Lets pages of the listed origins call the API, never with credentials. */
export function cors(origins: ReadonlySet<string>): RequestHandler {
  const any = origins.has('*');
  return (request, response, next) => {
    const { origin } = request.headers;
    if (!any) response.setHeader('Vary', 'Origin');
    if (origin !== undefined && (any || origins.has(origin))) {
      response.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
      response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
    }
    if (request.method === 'OPTIONS') {
      response.setHeader('Access-Control-Allow-Methods', allowedMethods);
      response.setHeader('Access-Control-Allow-Headers', allowedHeaders);
      response.setHeader('Access-Control-Max-Age', preflightSeconds);
    }
    next();
  };
}

/** Ends preflights of unknown addresses. A page can only read the 404 of the call itself if its preflight succeeds. */
export const unknownPreflight: RequestHandler = (request, response, next) => {
  const isPreflight = request.headers['access-control-request-method'] !== undefined;
  if (request.method !== 'OPTIONS' || !isPreflight) return next();
  response.statusCode = 204;
  response.end();
};
