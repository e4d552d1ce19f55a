import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import net from 'node:net';

// Below the unit's TimeoutStopSec of 30 s, after which systemd kills.
const deadline = 20_000;
const sweep = 250;

/**
 * Prepares a server for its end and returns the function that brings it: no more connections are accepted, all requests under way are answered,
 * connections close. Resolves when the last one has, at the latest after 20 s.
 */
export function stoppable(server: Server): () => Promise<void> {
  let stopping = false;
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    if (stopping) response.setHeader('Connection', 'close');
  });
  return async () => {
    stopping = true;
    const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
    // http's own close also cuts connections that were accepted and not yet read: lost requests.
    net.Server.prototype.close.call(server);
    // Those that a client keeps open in case have had time to send what they had to.
    const idle = setInterval(() => server.closeIdleConnections(), sweep);
    const end = setTimeout(() => server.closeAllConnections(), deadline);
    await closed;
    clearInterval(idle);
    clearTimeout(end);
  };
}
