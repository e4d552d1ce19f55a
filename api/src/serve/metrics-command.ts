import { parseArgs } from 'node:util';
import type { Command } from '../command.ts';
import { listen } from './listen.ts';
import { stoppable } from './stop.ts';
import { passedSocket } from './systemd.ts';
import { gather } from '../metrics/gather.ts';

const help = `Usage: map-app metrics SOCKET...

Serves GET /metrics with the metrics of all workers on the socket that systemd passes. Each SOCKET is the own socket
of a worker. Exits after five minutes without a request. The unit map-app-metrics.socket starts it.
`;

export const metricsCommand: Command = {
  summary: 'serve the metrics of all workers, for map-app-metrics.socket',
  run,
};

const idle = 300_000;
const headers = { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' };

async function run(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(help);
    return 0;
  }
  const fd = passedSocket(process.env);
  const sockets = socketsIn(args);
  if (fd === null || typeof sockets === 'string') {
    const wrong = typeof sockets === 'string' ? sockets : 'No socket was passed by systemd.';
    process.stderr.write(`${wrong}\n\n${help}`);
    return 2;
  }
  await answer(fd, sockets);
  return 0;
}

/** Parses the socket arguments. Returns a message if they are wrong. */
function socketsIn(args: string[]): string[] | string {
  try {
    const { positionals } = parseArgs({ args, allowPositionals: true });
    return positionals.length > 0 ? positionals : 'Name the socket of at least one worker.';
  } catch (error) {
    return (error as Error).message;
  }
}

async function answer(fd: number, sockets: readonly string[]): Promise<void> {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const timer = setTimeout(end, idle);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end());
  const server = await listen(
    (request, response) => {
      timer.refresh();
      if (request.url === '/metrics') {
        void gather(sockets).then((text) => response.writeHead(200, headers).end(text));
      } else {
        response.writeHead(404).end('Only /metrics is available.\n');
      }
    },
    { fd },
  );
  const stop = stoppable(server);
  await ended;
  clearTimeout(timer);
  await stop();
}
