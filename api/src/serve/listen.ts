import { lstatSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BadConfiguration } from '../config.ts';
import { answerParserErrors } from './parser-errors.ts';

/** A descriptor of a socket that listens already, a path, or an address; port 0 is any free one. */
export type Where = { fd: number } | { path: string } | { host: string; port: number };

// That of map-app.socket: Node would cut the queue of a socket that it is passed to 511.
const backlog = 4096;

/** Listens with `app`, and resolves with the server when it does. Throws `BadConfiguration` if the address cannot be had. */
export async function listen(app: RequestListener, where: Where): Promise<Server> {
  // Left behind by a process that was killed: nobody answers there any more.
  if ('path' in where && lstatSync(where.path, { throwIfNoEntry: false })?.isSocket()) rmSync(where.path);
  const server = createServer(app);
  answerParserErrors(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => reject(inWords(error, where)));
  // As an argument: in the options Node heeds it for addresses and paths, but not for a descriptor.
  server.listen(where, backlog, resolve);
  await promise;
  return server;
}

/** The address of a server as a URL, with brackets around an IPv6 address. */
export function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function inWords(error: NodeJS.ErrnoException, where: Where): Error {
  const { code = '' } = error;
  const sentence =
    'path' in where
      ? `WORKER_SOCKET is a path that cannot be listened at (${code}): its folder must exist and be this user's.`
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
