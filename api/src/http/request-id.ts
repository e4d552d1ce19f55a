import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The id that nginx gave the request, or a new one: made only for a request that gets into the log. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
