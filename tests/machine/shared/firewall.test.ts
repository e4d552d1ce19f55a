import { connect } from 'node:net';
import { expect } from 'chai';
import { openPorts } from '../hardening.ts';
import { ask, eventually, provisionedMachine, type Machine } from '../machine.ts';
import { explain, type RunOptions } from '../playbook.ts';
import { taskName } from '../task-name.ts';

describe('The firewall', () => {
  let machine: Machine;
  const play = (options: Omit<RunOptions, 'sandbox'> = {}) =>
    machine.play({ strategy: 'linear', arguments: ['--tags', 'firewall'], ...options });
  const rules = () => machine.must('nft --stateless --terse list table inet map_app');

  before(
    'provision the machine, and start an unexpected service, which also listens on the metadata address',
    async () => {
      machine = await provisionedMachine();
      await machine.must(
        'ip address replace 169.254.169.254/32 dev lo; systemd-run --quiet --unit=stray python3 -m http.server 8099',
      );
    },
  );

  after('stop that service', () =>
    machine.must('systemctl stop stray; ip address delete 169.254.169.254/32 dev lo'),
  );

  it('opens only the ports 22, 80 and 443', async () => {
    await eventually(10, async () =>
      expect(await machine.must('ss --no-header --listening --tcp --numeric')).to.contain('0.0.0.0:8099'),
    );
    expect(await openPorts(machine)).to.deep.equal([22, 80, 443]);
  });

  it("blocks the metadata address for the workers' user, but not for root", async () => {
    const metadata = (user: string) =>
      machine.ssh(
        `runuser -u ${user} -- python3 -c 'import socket; socket.create_connection(("169.254.169.254", 8099), 5)'`,
      );
    await eventually(30, async () => expect((await metadata('root')).code).to.equal(0));
    expect((await metadata('map-app')).output).to.match(/Connection refused|not permitted|unreachable/i);
    expect((await metadata('map-app-migrate')).code).not.to.equal(0);
  });

  describe('limits outgoing connections', () => {
    // A public address (reserved for documentation) on the machine itself, where the unexpected service and nginx listen on every address.
    const internet = '203.0.113.7';
    before('add a public and two private addresses to the machine', () =>
      machine.must(
        `ip address add ${internet}/32 dev lo; ip address add 10.77.0.1/32 dev lo; ip address add fd00:77::1/128 dev lo`,
      ),
    );
    after('remove the addresses', () =>
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

    const near = [
      ['127.0.0.1', 8099],
      ['127.0.0.1', 443],
      ['10.77.0.1', 8099],
      ['10.77.0.1', 443],
      ['fd00:77::1', 443],
      ['::1', 443],
      ['127.0.0.1', 22],
    ] as const;
    it('of each user that runs code of the release to port 443 on the internet', async () => {
      for (const [host, port] of near) {
        await eventually(10, async () =>
          expect(await reaches('root', host, port), `root to ${host} ${port}`).to.equal(true),
        );
        for (const user of ['map-app', 'map-app-migrate'])
          expect(await reaches(user, host, port), `${user} to ${host} ${port}`).to.equal(false);
      }
      expect(await reaches('map-app', internet, 443)).to.equal(true);
      expect(await reaches('map-app', internet, 8099)).to.equal(false);
      // Responses must still work: the same user serves the metrics.
      const metrics = `python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:9464/metrics").read())'`;
      expect(await machine.must(metrics)).to.contain('map_app_ready');
    });

    it('but allows a configured service in the local network', async () => {
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

  it('limits new ssh connections, while open connections and the site keep working', async () => {
    const knocks = await Promise.all(Array.from({ length: 60 }, () => knock(machine.address, 22)));
    try {
      expect(knocks.filter(Boolean)).to.have.length.within(20, 31);
      expect(await machine.must('echo still here')).to.equal('still here');
      expect((await ask(machine, '/healthz')).status).to.equal(200);
    } finally {
      // sshd also penalizes clients that disconnect before authentication (PerSourcePenalties).
      await machine.must('nft flush set inet map_app ssh_clients && systemctl restart ssh');
    }
  });

  it('rolls back automatically if the run is killed before the test login', async () => {
    await machine.must('nft add table inet other && nft add rule inet map_app input tcp dport 8099 accept');
    const before = await rules();
    await play({
      // Long enough for the change to be applied first, even on a slow host.
      vars: { second_login_seconds: 15 },
      watch: (task, signal) => {
        if (task.name === taskName('Apply the change')) signal('SIGKILL');
      },
    });
    await eventually(60, async () => expect(await rules()).to.equal(before));
  });

  it('is restored by the next run after a manual change, which keeps the tables of other programs', async () => {
    const result = await play();
    expect(result.code, explain(result)).to.equal(0);
    expect(result.changed).to.deep.equal([
      taskName('Compare the active firewall rules with the configured ones'),
    ]);
    expect(await rules()).not.to.contain('8099');
    await machine.must('nft delete table inet other');
  });

  it('fails instead of locking out the operator', async () => {
    const result = await play({ vars: { firewall_ssh_ports: [2222] } });
    expect(result.failure?.message, explain(result)).to.match(/Set firewall_ssh_ports to \[22\]/);
    expect(result.changed).to.deep.equal([]);
  });
});

/** @returns whether the connection is accepted within two seconds */
const knock = (host: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (came: boolean) => () => {
      socket.destroy();
      resolve(came);
    };
    socket.on('connect', end(true)).on('timeout', end(false)).on('error', end(false));
  });
