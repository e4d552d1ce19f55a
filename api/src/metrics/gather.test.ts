import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { gather, merge } from './gather.ts';

const text = (value: number) => `# HELP asked_total How often.
# TYPE asked_total counter
asked_total{route="/a b"} ${value}

# HELP memory_bytes Memory.
# TYPE memory_bytes gauge
memory_bytes ${value * 10}
`;

const both = `# HELP map_app_worker_up Whether a worker responds.
# TYPE map_app_worker_up gauge
map_app_worker_up{worker="map-app-1"} 1
map_app_worker_up{worker="map-app-2"} 1
map_app_worker_up{worker="map-app-3"} 0

# HELP asked_total How often.
# TYPE asked_total counter
asked_total{worker="map-app-1",route="/a b"} 1
asked_total{worker="map-app-2",route="/a b"} 2

# HELP memory_bytes Memory.
# TYPE memory_bytes gauge
memory_bytes{worker="map-app-1"} 10
memory_bytes{worker="map-app-2"} 20
`;

describe('the metrics of all workers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-gather-'));
  const servers: Server[] = [];
  const worker = async (name: string, listener: RequestListener): Promise<string> => {
    mkdirSync(join(folder, name));
    const server = createServer(listener).listen(join(folder, name, 'worker.sock'));
    servers.push(server);
    await once(server, 'listening');
    return join(folder, name, 'worker.sock');
  };
  after(() => {
    for (const server of servers) server.close().closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  it('contain each family once, and the worker of each sample', () => {
    const answers = new Map([
      ['map-app-1', text(1)],
      ['map-app-2', text(2)],
      ['map-app-3', null],
    ] as const);
    expect(merge(answers)).to.equal(both);
  });

  it('are fetched from the sockets of the workers; a worker that hangs, fails or does not exist is down after two seconds', async () => {
    const sockets = [
      await worker('map-app-1', (_request, response) => response.end(text(1))),
      await worker('map-app-2', (_request, response) => response.end(text(2))),
      await worker('map-app-3', () => undefined),
    ];
    const begin = performance.now();
    expect(await gather(sockets)).to.equal(both);
    expect(performance.now() - begin).to.be.lessThan(3_000);
    const [up1, up2] = [
      await worker('map-app-4', (_request, response) => response.writeHead(500).end()),
      join(folder, 'map-app-5/worker.sock'),
    ];
    const none = await gather([up1, up2]);
    expect(none).to.match(/worker="map-app-4"} 0\n.*worker="map-app-5"} 0\n$/);
  });
});
