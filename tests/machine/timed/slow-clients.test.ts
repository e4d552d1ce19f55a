import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { run } from '../../run/command.ts';
import { ask, domain, eventually, provisionedMachine, type Machine } from '../machine.ts';

/** Source addresses for many clients on this host (benchmarking range, RFC 2544). */
const sources = Array.from({ length: 40 }, (_, index) => `198.18.0.${index + 1}`);

/** A response that is larger than the socket buffers between worker and client. */
const large = '/docs/swagger-ui-bundle.js';

const head = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${domain}\r\nAccept-Encoding: identity\r\n${more}\r\n`;
const trickled = `POST /api/locations HTTP/1.1\r\nHost: ${domain}\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n`;

describe('Slow clients', () => {
  let machine: Machine;
  let clients: Socket[] = [];
  let timers: NodeJS.Timeout[] = [];

  before('provision the machine, and add the addresses of the clients', async () => {
    machine = await provisionedMachine();
    // By default a send buffer grows to 4 MB, which can hold the whole large response.
    await machine.must("sysctl --write net.ipv4.tcp_wmem='4096 16384 65536'");
    for (const source of sources) await run(['ip', 'address', 'replace', `${source}/32`, 'dev', 'lo']);
  });

  afterEach('disconnect the clients', () => {
    timers.forEach((timer) => clearInterval(timer));
    const leaving = clients;
    [clients, timers] = [[], []];
    leaving.forEach((client) => client.destroy());
  });

  after('remove the addresses', async () => {
    for (const source of sources) await run(['ip', 'address', 'delete', `${source}/32`, 'dev', 'lo']);
  });

  function open(localAddress: string, port: number, request = ''): Socket {
    const place = { host: machine.address, port, localAddress };
    const client =
      port === 443 ? connectTls({ ...place, servername: domain, rejectUnauthorized: false }) : connect(place);
    client.on('error', () => undefined);
    if (request) client.write(request);
    clients.push(client);
    return client;
  }

  /** Requests a large response and reads 1.5 kB of it every two seconds. @returns the status */
  function readSlowly(source: string): Promise<string> {
    const client = open(source, 443, head(large));
    return new Promise((resolve) => {
      client.once('readable', () => resolve(String(client.read(12)).slice(9, 12)));
      timers.push(setInterval(() => client.read(1500), 2000));
    });
  }

  /** The response times of other clients, in milliseconds. */
  async function measureOthers(
    seconds: number,
  ): Promise<{ p90: number; p99: number; slowest: number; answers: number }> {
    const times: number[] = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const started = performance.now();
      expect((await ask(machine, '/api/locations/counts', { timeout: 10_000 })).status).to.equal(200);
      times.push(performance.now() - started);
      await pause(20);
    }
    times.sort((one, other) => one - other);
    const at = (share: number) => Math.round(times[Math.floor(times.length * share)]!);
    return { p90: at(0.9), p99: at(0.99), slowest: Math.round(times.at(-1)!), answers: times.length };
  }

  /** The size in bytes of nginx's open temporary files, which are already unlinked. */
  const temporary = async () =>
    Number(
      await machine.must(
        `total=0; for file in /proc/[0-9]*/fd/*; do case $(readlink $file) in /var/lib/nginx/*) size=$(stat --dereference --format=%s $file) && total=$((total + size));; esac; done; echo $total`,
      ),
    );

  it('that read a large response use no disk space and do not delay other clients (200 clients)', async () => {
    const quiet = await measureOthers(3);
    const statuses = await Promise.all(
      Array.from({ length: 200 }, (_, index) => readSlowly(sources[index % 4]!)),
    );
    expect(new Set(statuses)).to.deep.equal(new Set(['200']));
    const { p90, p99, slowest, answers } = await measureOthers(5);
    const bytes = await temporary();
    process.stdout.write(
      `     ${answers} responses, p90 ${p90} ms (${quiet.p90} ms before), p99 ${p99} ms, slowest ${slowest} ms; ${bytes} bytes of temporary files\n`,
    );
    expect(clients.filter(({ closed }) => !closed)).to.have.length(200);
    expect(bytes).to.equal(0);
    // 100 ms, or twice the time without slow clients if other tests keep the machine busy. These delay single responses,
    // but slow clients would delay most of them, until one of them leaves.
    expect(p90).to.be.below(Math.max(100, 2 * quiet.p90));
    expect(slowest).to.be.below(2000);
  });

  it('from one address get 429 beyond 250 concurrent requests', async () => {
    const statuses = await Promise.all(Array.from({ length: 270 }, () => readSlowly(sources[0]!)));
    const served = statuses.filter((status) => status === '200').length;
    // A request that ends in the meantime allows another one.
    expect(served).to.be.within(250, 255);
    expect(statuses.filter((status) => status === '429')).to.have.length(270 - served);
    expect((await ask(machine, '/healthz')).status).to.equal(200);
  });

  it('cannot bypass the limit with upper-case paths, which Express accepts', async () => {
    const upload = trickled.replace('/api/', '/API/');
    const isRefused = () => {
      const client = open(sources[2]!, 443, upload);
      return new Promise<boolean>((resolve) => {
        client.once('data', (answer) => resolve(String(answer).startsWith('HTTP/1.1 429 ')));
        // Shorter than the time that nginx waits for the rest of the body. A busy host takes seconds for the handshakes.
        client.once('secureConnect', () => timers.push(setTimeout(() => resolve(false), 6000)));
      });
    };
    const refused = await Promise.all(Array.from({ length: 270 }, isRefused));
    expect(refused.filter(Boolean)).to.have.length(20);
  });

  it('from one address can hold 1,000 connections', async () => {
    const opened = await Promise.all(
      Array.from({ length: 1100 }, () => {
        const client = open(sources[1]!, 80);
        return new Promise<boolean>((resolve) => {
          client.on('connect', () => resolve(true)).on('close', () => resolve(false));
        });
      }),
    );
    expect(opened.filter(Boolean)).to.have.length(1000);
    await measureOthers(1);
  });

  it('with 10,000 idle, incomplete or slow connections do not take the site down for other clients', async () => {
    const idle = (source: string) => open(source, 80, head('/')).resume();
    const halfHeader = (source: string) => open(source, 80, `GET / HTTP/1.1\r\nHost: ${domain}\r\n`).resume();
    const halfHandshake = (source: string) => connectRaw(source).resume();
    const unread = (source: string) => open(source, 443, head(large)).pause();
    const trickling = (source: string) => trickle(open(source, 443, trickled).resume());
    // Few use TLS, because thousands of handshakes would measure the processor, which the test shares with nginx.
    const kinds = [
      ...repeat(18, idle),
      ...repeat(12, halfHeader),
      ...repeat(8, halfHandshake),
      unread,
      trickling,
    ];
    const hold = (index: number) => {
      const client = kinds[index % kinds.length]!(sources[index % sources.length]!);
      // Clients that nginx disconnects reconnect.
      client.once('close', () => clients.length > 0 && hold(index));
    };
    for (let index = 0; index < 10_000; index += 1) {
      hold(index);
      if (index % 500 === 499) await pause(100);
    }
    let most = 0;
    await eventually(120, async () => {
      const held = await machine.must(
        "ss --no-header --tcp state established '( sport = :80 or sport = :443 )' | wc -l",
      );
      most = Math.max(most, Number(held));
      expect(most).to.be.above(9_000);
    });
    const { p99, slowest, answers } = await measureOthers(8);
    process.stdout.write(
      `     ${most} connections; ${answers} responses, p99 ${p99} ms, slowest ${slowest} ms\n`,
    );
    expect(slowest).to.be.below(2000);
  });

  /** Sends the first byte of a TLS handshake and nothing more. */
  function connectRaw(localAddress: string): Socket {
    const client = connect({ host: machine.address, port: 443, localAddress });
    client.on('error', () => undefined);
    client.write('\x16');
    clients.push(client);
    return client;
  }

  function trickle(client: Socket): Socket {
    timers.push(setInterval(() => client.writable && client.write(' '), 3000));
    return client;
  }
});

const repeat = <Kind>(times: number, kind: Kind): Kind[] => Array.from({ length: times }, () => kind);

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
