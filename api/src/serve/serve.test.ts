import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compileCache } from '../testing/command.ts';
import { settingsFor } from '../testing/database.ts';
import { mountSmallDisk } from '../testing/small-disk.ts';

const cli = fileURLToPath(new URL('../cli.ts', import.meta.url));
const withoutDatabase = {
  DATABASE_URL: 'postgresql://map-app@/map-app?host=/missing',
  SESSION_KEY: '0123456789abcdef'.repeat(4),
};

/** The program as a separate process, with only the environment that a test passes. */
class Program {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  output = '';

  constructor(args: string[], env: Record<string, string>, socket?: Server) {
    const descriptor = (socket as { _handle?: { fd: number } } | undefined)?._handle?.fd;
    // systemd sets the id of the process that it passes sockets to, so this shell must do the same.
    const supervised = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$0" "$@"';
    this.process = spawn('sh', ['-c', supervised, process.execPath, cli, ...args], {
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: '0',
        ...compileCache,
        ...env,
        ...(socket && { LISTEN_FDS: '1' }),
      },
      stdio: ['ignore', 'pipe', 'pipe', descriptor ?? 'ignore'],
    });
    this.process.stdout?.on('data', (text) => (this.output += text));
    this.process.stderr?.on('data', (text) => (this.output += text));
    this.ended = once(this.process, 'close').then(([code]) => code);
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (let turn = 0; turn < 4800; turn++) {
      const found = pattern.exec(this.output);
      if (found) return found;
      if (this.process.exitCode !== null) break;
      await wait(25);
    }
    throw new Error(`The program did not print ${pattern}, but:\n${this.output}`);
  }

  stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    return this.ended;
  }
}

type Answer = { status: number | undefined; connection: string | undefined; body: string };

function ask(path: string, where: { socketPath: string } | { port: number }): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  request({ ...where, path, agent: false }, (response) => {
    let body = '';
    response.on('data', (text) => (body += text));
    response.on('end', () =>
      resolve({ status: response.statusCode, connection: response.headers.connection, body }),
    );
  })
    .on('error', reject)
    .end();
  return promise;
}

async function wholeAnswer(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (data) => (text += data));
  await once(socket, 'close');
  return text;
}

describe('the program', function () {
  this.timeout(150_000);
  const folder = mkdtempSync(join(tmpdir(), 'map-app-serve-'));
  const running = new Set<Program>();
  const run = (args: string[], env: Record<string, string>, socket?: Server): Program => {
    const program = new Program(args, env, socket);
    running.add(program);
    void program.ended.then(() => running.delete(program));
    return program;
  };
  afterEach(() => Promise.all([...running].map(({ process, ended }) => (process.kill('SIGKILL'), ended))));
  after(() => rmSync(folder, { recursive: true }));

  describe('serve', () => {
    it('reports what is wrong with its database and continues; exits after all requests in progress have a response', async () => {
      const program = run(['serve'], withoutDatabase);
      const port = Number((await program.says(/map-app listens on http:\/\/127\.0\.0\.1:(\d+)\n/))[1]);
      const { status, body } = await ask('/readyz', { port });
      expect(status).to.equal(503);
      expect(JSON.parse(body).message).to.include('cannot be reached');
      await program.says(/"level":"error".*"message":"not ready"/);
      expect((await ask('/metrics', { port })).status).to.equal(404);

      const [half, silent, idle] = [connect(port), connect(port), connect(port)];
      await Promise.all([half, silent, idle].map((socket) => once(socket, 'connect')));
      const head =
        'POST /api/geocoder HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 22';
      half.write(`${head}\r\n\r\n{"lat": 34, `);
      const answers = [half, silent, idle].map(wholeAnswer);
      // The program accepts connections in order, so it has accepted those above too.
      expect((await ask('/healthz', { port })).status).to.equal(200);
      const begin = performance.now();
      program.process.kill('SIGTERM');
      await program.says(/"message":"stopping"/);
      // At once, because the program closes idle connections soon.
      silent.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      const refusal = () => ask('/healthz', { port }).catch(({ code }: { code: string }) => code);
      while ((await refusal()) !== 'ECONNREFUSED') await wait(10);
      await wait(500);
      half.write('"long":-1}');
      const [first, second, third] = await Promise.all(answers);
      expect(first).to.match(/^HTTP\/1\.1 200 /);
      expect(second)
        .to.match(/^HTTP\/1\.1 200 /)
        .and.match(/\r\nConnection: close\r\n/i);
      expect(third).to.equal('');
      expect(await program.ended).to.equal(0);
      // The program closes the idle connection at once, not at its deadline of 20 s.
      expect(performance.now() - begin).to.be.lessThan(15_000);
    });

    it('prints an address that a browser accepts, with brackets for IPv6', async function () {
      if (!networkInterfaces()['lo']?.some(({ address }) => address === '::1')) this.skip();
      const program = run(['serve'], { ...withoutDatabase, HOST: '[::1]' });
      const [, address] = await program.says(/map-app listens on (\S+)\n/);
      expect(address).to.match(/^http:\/\/\[::1\]:\d+$/);
      expect((await fetch(`${address}/healthz`)).status).to.equal(200);
      expect(await program.stop()).to.equal(0);
    });

    it('uses the socket that systemd passes, listens on its own socket, too, and notifies systemd', async () => {
      const file = join(folder, 'notifications');
      // Replaces the real systemd-notify, which needs systemd.
      writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$@" >>${file}\n`, { mode: 0o755 });
      const path = join(folder, 'shared.sock');
      const shared = createServer().listen(path);
      await once(shared, 'listening');
      const workerSocket = join(folder, 'worker.sock');
      const env = {
        ...withoutDatabase,
        PATH: `${folder}:${process.env['PATH']}`,
        WORKER_SOCKET: workerSocket,
        NOTIFY_SOCKET: '/missing/notify.sock',
        WATCHDOG_USEC: '1000000',
      };
      const program = run(['serve'], env, shared);
      const notifications = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
      while (!notifications().includes('READY=1')) await wait(20);
      await program.says(/not ready/);
      // Otherwise this process would accept every other connection.
      shared.close();

      expect(existsSync(workerSocket)).to.equal(true);
      expect((await ask('/healthz', { socketPath: workerSocket })).status).to.equal(200);
      expect((await ask('/metrics', { socketPath: workerSocket })).body).to.match(/^map_app_ready 0$/m);
      const pings = () => notifications().filter((text) => text === 'WATCHDOG=1').length;
      const [earlier, begin] = [pings(), performance.now()];
      while (pings() < earlier + 3) await wait(20);
      // Half the timeout is 0.5 s, so three pings take at most 1.5 s on an idle machine.
      expect(performance.now() - begin).to.be.lessThan(3_000);
      expect(await program.stop()).to.equal(0);
      while (!notifications().includes('STOPPING=1')) await wait(20);
      expect(
        notifications().some((text) => text.startsWith('STATUS=The database cannot be reached')),
      ).to.equal(true);
      expect(program.output).not.to.include('listens on');
    });
  });

  describe('on the embedded database @slow', () => {
    const env = { DATA_DIR: join(folder, 'data') };

    it('migrates, imports example data once, keeps everything between runs, and locks out other processes', async () => {
      const visitors = async (port: string | undefined) =>
        JSON.parse((await ask('/api/locations/counts', { port: Number(port) })).body).total_visitors;

      const first = run(['serve'], env);
      const [, port] = await first.says(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
      const before = await visitors(port);
      expect(before).to.be.greaterThan(0);
      const pin = await fetch(`http://127.0.0.1:${port}/api/locations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ lat: 34.05, long: -118.24 }),
      });
      expect(pin.status).to.equal(200);

      const second = run(['serve'], env);
      expect(await second.ended).to.equal(2);
      expect(second.output)
        .to.include(`in use by process ${first.process.pid}`)
        .and.match(/^[^\n]*\n$/);

      // Simulates a power failure.
      first.process.kill('SIGKILL');
      await first.ended;
      const third = run(['serve'], env);
      const [, again] = await third.says(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
      expect(await visitors(again)).to.equal(before + 1);
      expect(await third.stop()).to.equal(0);
    });
  });

  describe('on a disk that fills @slow', () => {
    it('is not ready, logs it, rejects writes, and recovers when there is space again', async function () {
      const place = mkdtempSync(join(folder, 'disk-'));
      const disk = mountSmallDisk(place, 200);
      if (!disk) {
        this.skip();
        return;
      }
      try {
        const program = run(['serve'], await settingsFor({ url: null }, join(place, 'data')));
        const [, address] = await program.says(/listens on (http:\S+)/);
        const status = async (path: string, options?: RequestInit) =>
          (await fetch(`${address}${path}`, options)).status;
        const pin = {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ lat: 34.05, long: -118.24 }),
        };
        expect(await status('/readyz')).to.equal(200);
        disk.remount('size=80m');
        await wait(1_100);
        expect(await status('/readyz')).to.equal(503);
        expect(await status('/api/locations', pin)).to.equal(503);
        expect(await status('/api/locations/counts')).to.equal(200);
        await program.says(/"cause":"The disk of .* MB left\. .*"message":"nothing is stored any more"/);
        await program.says(/"message":"not ready"/);
        disk.remount('size=200m');
        await program.says(/"message":"ready again"/);
        expect(await status('/api/locations', pin)).to.equal(200);
        expect(await program.stop()).to.equal(0);
      } finally {
        await Promise.all([...running].map(({ process, ended }) => (process.kill('SIGKILL'), ended)));
        disk.unmount();
      }
    });
  });

  describe('metrics', () => {
    it('serves the metrics of the workers, and nothing else, on the socket that systemd passes', async () => {
      const shared = createServer().listen(0, '127.0.0.1');
      await once(shared, 'listening');
      const address = `http://127.0.0.1:${(shared.address() as AddressInfo).port}`;
      const program = run(['metrics', '/missing/map-app-1/worker.sock'], {}, shared);
      // Otherwise this process would accept every other connection.
      shared.close();
      const answer = await fetch(`${address}/metrics`);
      expect(answer.headers.get('content-type')).to.equal('text/plain; version=0.0.4; charset=utf-8');
      expect(await answer.text()).to.include('map_app_worker_up{worker="map-app-1"} 0\n');
      expect((await fetch(address)).status).to.equal(404);
      expect(await program.stop()).to.equal(0);
    });
  });

  describe('check', () => {
    it('accepts a valid configuration, with or without the database', async () => {
      const program = run(['check'], withoutDatabase);
      expect(await program.ended).to.equal(0);
    });

    it('names every invalid variable, never its value, and exits with 2', async () => {
      const program = run(['check'], { DATABASE_URL: 'geheim', PORT: 'geheim', SESSION_KEY: 'geheim' });
      expect(await program.ended).to.equal(2);
      const lines = program.output.trim().split('\n');
      expect(lines.map((line) => line.split(' ')[0])).to.have.members([
        'DATABASE_URL',
        'PORT',
        'SESSION_KEY',
      ]);
      expect(program.output).not.to.include('geheim');
    });
  });

  describe('other arguments', () => {
    it('lists its commands, and rejects an unknown one', async () => {
      const [help, unknown] = [run(['--help'], {}), run(['serf'], {})];
      expect(await help.ended).to.equal(0);
      for (const command of ['serve', 'migrate', 'import', 'check'])
        expect(help.output).to.include(`  ${command}`);
      expect(await unknown.ended).to.equal(2);
      expect(unknown.output).to.equal(`There is no command "serf".\n${help.output}`);
    });

    it('prints its version', async () => {
      const program = run(['--version'], {});
      expect(await program.ended).to.equal(0);
      expect(program.output).to.equal('development\n');
    });

    it('explains in one sentence why it cannot migrate', async () => {
      const program = run(['migrate'], withoutDatabase);
      expect(await program.ended).to.equal(1);
      expect(program.output).to.match(/^The database cannot be reached \(ENOENT\).*\n$/);
    });

    it('does not migrate on a full disk', async () => {
      const full = { DATABASE_FOLDER: tmpdir(), DISK_RESERVE: '9999999' };
      const program = run(['migrate'], { ...withoutDatabase, ...full });
      expect(await program.ended).to.equal(1);
      expect(program.output).to.match(/^The disk of .* Nothing was changed\.\n$/);
    });
  });
});
