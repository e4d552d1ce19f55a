import type { Request, Response } from 'express';
import { answer } from './answer.ts';
import { isUnchanged } from './conditions.ts';
import { Reply, send } from './reply.ts';
import type { Route } from './route.ts';

/** Sends the output of a handler: a 304 if the request is conditional and the client has it, else a 200 with JSON, or the reply. */
export async function sendOutput(
  { method, access }: Route,
  request: Request,
  response: Response,
  output: unknown,
): Promise<void> {
  // Responses for staff must not be kept by any cache.
  if (access === 'staff') response.setHeader('Cache-Control', 'no-store');
  if (method === 'get' && isHeld(request, output)) return send(response, unchanged(output));
  if (output instanceof Reply) return send(response, output);
  answer(response, 200, output);
}

/** Whether the client has the current output of a read. Throws 412 if another condition of the request is false. */
function isHeld({ headers }: Request, output: unknown): boolean {
  if (!(output instanceof Reply)) return isUnchanged(headers);
  return output.status === 200 && isUnchanged(headers, output.headers['ETag']?.toString());
}

/** A 304 with the headers of the 200 that belong to it (RFC 9110, 15.4.5). */
function unchanged(output: unknown): Reply {
  const headers = output instanceof Reply ? output.headers : {};
  const kept = ['ETag', 'Cache-Control', 'Vary'].filter((name) => name in headers);
  return new Reply(304, Object.fromEntries(kept.map((name) => [name, headers[name]!])), '');
}
