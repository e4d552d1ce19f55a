import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { BadConfiguration } from '../config.ts';
import { listen, type Where } from './listen.ts';

const app = () => undefined;

describe('listen', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-listen-'));
  after(() => rmSync(folder, { recursive: true }));

  const complaint = async (where: Where): Promise<string> => {
    const failure = await listen(app, where).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(BadConfiguration);
    return (failure as Error).message;
  };

  it('replaces a socket that a killed process left behind', async () => {
    const path = join(folder, 'worker.sock');
    const killed = createServer().listen(`${path}.made`);
    await once(killed, 'listening');
    // Renamed before closing, so that the file stays.
    renameSync(`${path}.made`, path);
    killed.close();
    (await listen(app, { path })).close();
  });

  it('removes only sockets', async () => {
    const path = join(folder, 'precious.txt');
    writeFileSync(path, '');
    expect(await complaint({ path })).to.include('WORKER_SOCKET');
  });

  it('names the variable of an address that cannot be used', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await complaint({ host: '127.0.0.1', port })).to.equal(
      `Port ${port} of 127.0.0.1 is already in use: stop the program that uses it ("ss -tlnp" lists them), or choose another port, as in PORT=${port + 1} npm start`,
    );
    other.close();
    for (const host of ['192.0.2.1', 'no.such.host.invalid', 'fe80::1', '2001:db8::1', '300.1.1.1'])
      expect(await complaint({ host, port: 0 }), host).to.match(/^HOST /);
    expect(await complaint({ path: join(folder, 'no/such/folder.sock') })).to.match(/^WORKER_SOCKET /);
  });
});
