import { connect } from 'node:net';
import { expect } from 'chai';
import { openPorts } from './hardening.ts';
import { ask, eventually, provisionedMachine, type Machine } from './machine.ts';
import { explain, type RunOptions } from './playbook.ts';

describe('The firewall', () => {
  let machine: Machine;
  const play = (options: Omit<RunOptions, 'sandbox'> = {}) =>
    machine.play({ strategy: 'linear', arguments: ['--tags', 'firewall'], ...options });
  const rules = () => machine.must('nft --stateless --terse list table inet map_app');

  before('provision it; a program listens that nobody asked for, at the metadata address too', async () => {
    machine = await provisionedMachine();
    await machine.must(
      'ip address replace 169.254.169.254/32 dev lo; systemd-run --quiet --unit=stray python3 -m http.server 8099',
    );
  });

  after('end that program', () =>
    machine.must('systemctl stop stray; ip address delete 169.254.169.254/32 dev lo'),
  );

  it('lets ssh, http and https in and nothing else', async () => {
    await eventually(10, async () =>
      expect(await machine.must('ss --no-header --listening --tcp --numeric')).to.contain('0.0.0.0:8099'),
    );
    expect(await openPorts(machine)).to.deep.equal([22, 80, 443]);
  });

  it("keeps the workers' user from the metadata address, and root not", async () => {
    const knock = (user: string) =>
      machine.ssh(
        `runuser -u ${user} -- python3 -c 'import socket; socket.create_connection(("169.254.169.254", 8099), 5)'`,
      );
    await eventually(5, async () => expect((await knock('root')).code).to.equal(0));
    expect((await knock('map-app')).output).to.match(/Connection refused|not permitted|unreachable/i);
    expect((await knock('map-app-migrate')).code).not.to.equal(0);
  });

  describe('limits the connections of the workers to the internet', () => {
    // A public address for documentation, on this machine, where a program and nginx listen on every address.
    const internet = '203.0.113.7';
    before('give the machine an address of the internet and one of a private network', () =>
      machine.must(
        `ip address add ${internet}/32 dev lo; ip address add 10.77.0.1/32 dev lo; ip address add fd00:77::1/128 dev lo`,
      ),
    );
    after('take them away', () =>
      machine.must(
        `ip address delete ${internet}/32 dev lo; ip address delete 10.77.0.1/32 dev lo; ip address delete fd00:77::1/128 dev lo`,
      ),
    );
    const reaches = async (user: string, host: string, port: number) =>
      (
        await machine.ssh(
          `runuser -u ${user} -- python3 -c 'import socket; socket.create_connection(("${host}", ${port}), 5)'`,
        )
      ).code === 0;

    const near = [['127.0.0.1', 8099], ['127.0.0.1', 443], ['10.77.0.1', 8099], ['10.77.0.1', 443], ['fd00:77::1', 443], ['::1', 443], ['127.0.0.1', 22]] as const; // prettier-ignore
    it('for each user that runs code of the release', async () => {
      for (const [host, port] of near) {
        await eventually(10, async () =>
          expect(await reaches('root', host, port), `root to ${host} ${port}`).to.equal(true),
        );
        for (const user of ['map-app', 'map-app-migrate'])
          expect(await reaches(user, host, port), `${user} to ${host} ${port}`).to.equal(false);
      }
      expect(await reaches('map-app', internet, 443)).to.equal(true);
      expect(await reaches('map-app', internet, 8099)).to.equal(false);
      // The same user serves the metrics.
      const metrics = `python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:9464/metrics").read())'`;
      expect(await machine.must(metrics)).to.contain('map_app_ready');
    });

    it('except for a configured service in the local network', async () => {
      const firewall_outgoing_services = [{ host: 'localhost', port: 8099 }];
      const result = await play({ vars: { firewall_outgoing_services } });
      expect(result.code, explain(result)).to.equal(0);
      try {
        expect(await reaches('map-app', '127.0.0.1', 8099)).to.equal(true);
        expect(await reaches('map-app', '127.0.0.1', 443)).to.equal(false);
        expect(await reaches('map-app', '10.77.0.1', 8099)).to.equal(false);
      } finally {
        expect((await play()).code).to.equal(0);
      }
    });
  });

  it('lets in so many new ssh connections a minute, while open ones and the site go on', async () => {
    const knocks = await Promise.all(Array.from({ length: 60 }, () => knock(machine.address, 22)));
    try {
      expect(knocks.filter(Boolean)).to.have.length.within(20, 31);
      expect(await machine.must('echo still here')).to.equal('still here');
      expect((await ask(machine, '/healthz')).status).to.equal(200);
    } finally {
      // sshd, too, resents who knocks and goes away.
      await machine.must('nft flush set inet map_app ssh_clients && systemctl restart ssh');
    }
  });

  it('goes back by itself where the run was cut off before a login was proven', async () => {
    await machine.must('nft add table inet other && nft add rule inet map_app input tcp dport 8099 accept');
    const before = await rules();
    await play({
      vars: { second_login_seconds: 4 },
      watch: (task, signal) => {
        if (task.name === 'Change it') signal('SIGKILL');
      },
    });
    await eventually(20, async () => expect(await rules()).to.equal(before));
  });

  it('is put right by the next run where somebody has changed it, and others keep their tables', async () => {
    const result = await play();
    expect(result.code, explain(result)).to.equal(0);
    expect(result.changed).to.deep.equal(['Find out whether other rules are in force']);
    expect(await rules()).not.to.contain('8099');
    await machine.must('nft delete table inet other');
  });

  it('stops before it would lock the operator out', async () => {
    const result = await play({ vars: { firewall_ssh_ports: [2222] } });
    expect(result.failure?.message, explain(result)).to.match(/set firewall_ssh_ports to \[22\]/);
    expect(result.changed).to.deep.equal([]);
  });
});

/** @returns whether the connection was let in, within two seconds */
const knock = (host: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (came: boolean) => () => {
      socket.destroy();
      resolve(came);
    };
    socket.on('connect', end(true)).on('timeout', end(false)).on('error', end(false));
  });
