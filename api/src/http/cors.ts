import type { RequestHandler } from 'express';

// nginx sends the same headers with its own responses: the build writes them to roles/nginx/files/routes.json.

/**
 * Both clients send the third header by mistake. Without it in the list, none of their cross-origin requests is
 * allowed.
 */
export const allowedHeaders =
  'content-type, authorization, access-control-allow-origin, idempotency-key, if-none-match';
export const allowedMethods = 'GET, POST, PATCH, DELETE';
/** Response headers that cross-origin scripts may read, in addition to those that browsers always allow. */
export const exposedHeaders = 'ETag, Link, Retry-After, X-Request-Id';
export const preflightSeconds = '600';

/** Allows pages of the listed origins to call the API, never with credentials. */
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

/**
 * Answers preflight requests of unknown paths. A page can only read the 404 of the actual request if its preflight
 * succeeds.
 */
export const unknownPreflight: RequestHandler = (request, response, next) => {
  const isPreflight = request.headers['access-control-request-method'] !== undefined;
  if (request.method !== 'OPTIONS' || !isPreflight) return next();
  response.statusCode = 204;
  response.end();
};
