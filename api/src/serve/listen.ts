import { lstatSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BadConfiguration } from '../config.ts';
import { answerParserErrors } from './parser-errors.ts';

/** The descriptor of a listening socket, a path, or an address. Port 0 is any free port. */
export type Where = { fd: number } | { path: string } | { host: string; port: number };

// The backlog of map-app.socket: Node would reduce the queue of a passed socket to 511.
const backlog = 4096;

/** Listens with `app` and resolves with the server. Throws `BadConfiguration` if the address cannot be used. */
export async function listen(app: RequestListener, where: Where): Promise<Server> {
  // A killed process leaves its socket behind, on which nothing listens.
  if ('path' in where && lstatSync(where.path, { throwIfNoEntry: false })?.isSocket()) rmSync(where.path);
  const server = createServer(app);
  answerParserErrors(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => reject(inWords(error, where)));
  // As an argument: as an option, Node ignores it for a descriptor.
  server.listen(where, backlog, resolve);
  await promise;
  return server;
}

/** Returns the address of a server as a URL, with brackets around an IPv6 address. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function inWords(error: NodeJS.ErrnoException, where: Where): Error {
  const { code = '' } = error;
  const sentence =
    'path' in where
      ? `WORKER_SOCKET is a path that cannot be used (${code}): its folder must exist and belong to this user.`
      : 'port' in where
        ? (sentences[code] ?? unknownHost)(where)
        : undefined;
  return sentence ? new BadConfiguration([sentence]) : error;
}

const sentences: Record<string, (where: { host: string; port: number }) => string> = {
  EADDRINUSE: ({ host, port }) =>
    `Port ${port} of ${host} is already in use: stop the program that uses it ("ss -tlnp" lists them), or choose another port, as in PORT=${port + 1} npm start`,
  EACCES: ({ port }) => `Port ${port} needs root: set PORT to a number from 1024 to 65535.`,
  EADDRNOTAVAIL: ({ host }) =>
    `HOST ${host} is not an address of this machine: set it to one that is, such as 127.0.0.1.`,
};

function unknownHost({ host }: { host: string }): string {
  return `HOST ${host} cannot be used: set it to an address of this machine, such as 127.0.0.1.`;
}
