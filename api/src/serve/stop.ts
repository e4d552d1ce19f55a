import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import net from 'node:net';

// Less than the unit's TimeoutStopSec of 30 s, after which systemd kills the process.
const deadline = 20_000;
const sweep = 250;

/**
 * Prepares a server for a graceful stop and returns the function that stops it: no new connections are accepted, all
 * requests in progress get their response, and the connections close. Resolves when the last one has closed, after at
 * most 20 s.
 */
export function stoppable(server: Server): () => Promise<void> {
  let stopping = false;
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    if (stopping) response.setHeader('Connection', 'close');
  });
  return async () => {
    stopping = true;
    const closed = new Promise<void>((resolve) => server.once('close', () => resolve()));
    // http's own close also cuts connections that were accepted but not yet read, which would lose requests.
    net.Server.prototype.close.call(server);
    // Clients with keep-alive connections have had time to send pending requests.
    const idle = setInterval(() => server.closeIdleConnections(), sweep);
    const end = setTimeout(() => server.closeAllConnections(), deadline);
    await closed;
    clearInterval(idle);
    clearTimeout(end);
  };
}
