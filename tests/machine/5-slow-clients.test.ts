import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { ask, provisionedMachine, type Machine } from './machine.ts';

const number = 3000;

describe(`${number} clients that never finish their request`, () => {
  let machine: Machine;
  let clients: Socket[];

  before('provision it, and let them come', async () => {
    machine = await provisionedMachine();
    clients = [];
  });

  after('send them away', () => clients.forEach((client) => client.destroy()));

  it('leave the site answering', async () => {
    // Plain http and https alike: half a head, or half a handshake.
    const end = performance.now() + 15_000;
    const come = (index: number) => {
      const client = connect(index % 2 === 0 ? 80 : 443, machine.address);
      client.on('connect', () =>
        client.write(index % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: map-app.test\r\n' : '\x16'),
      );
      client.on('error', () => undefined);
      // Whom nginx tires of comes again.
      client.on('close', () => {
        if (performance.now() < end) clients[index] = come(index);
      });
      return client;
    };
    clients = Array.from({ length: number }, (_, index) => come(index));
    const waiting = async () =>
      Number(
        await machine.must(
          "ss --no-header --tcp state established '( sport = :80 or sport = :443 )' | wc -l",
        ),
      );

    const times: number[] = [];
    let most = 0;
    while (performance.now() < end) {
      const started = performance.now();
      expect((await ask(machine, '/api/locations/counts', { timeout: 10_000 })).status).to.equal(200);
      times.push(performance.now() - started);
      if (times.length % 20 === 1) most = Math.max(most, await waiting());
    }
    const slowest = Math.round(Math.max(...times));
    process.stdout.write(
      `     ${most} of them at a time; ${times.length} answers, the slowest in ${slowest} ms\n`,
    );
    expect(most).to.be.above(number * 0.9);
    expect(slowest).to.be.below(5000);
  });
});
