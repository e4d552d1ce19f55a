import type { ServerResponse } from 'node:http';

/** Adds a request header to the headers that a response depends on. */
export function varyBy(response: ServerResponse, header: string): void {
  const known = response.getHeader('Vary');
  response.setHeader('Vary', known === undefined ? header : `${String(known)}, ${header}`);
}
