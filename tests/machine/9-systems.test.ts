import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { root } from '../run/command.ts';
import { machineName } from '../run/machines.ts';
import { expectModernSsh, openPorts } from './hardening.ts';
import { ask, converge, freshMachine, sandbox, type Machine } from './machine.ts';

// forky has Python 3.14, which Ansible manages from core 2.20 on, which itself needs Python 3.12.
const tooOld = execFileSync(
  `${root}.venv/bin/python`,
  ['-c', 'import sys; print(sys.version_info < (3, 12))'],
  {
    encoding: 'utf8',
  },
).startsWith('True');

// trixie is what all other tests run on; here it behaves like Ubuntu where it can.
const systems = [
  { title: 'Debian bookworm', suite: 'bookworm', killAfter: 'Install PostgreSQL' },
  { title: 'Debian forky', suite: 'forky', killAfter: 'Ship the archive of the release' },
  { title: 'Debian trixie, like Ubuntu', suite: 'trixie', ubuntu: true, killAfter: "Write ssh's settings" },
];

for (const { title, suite, ubuntu, killAfter } of systems) {
  describe(title, () => {
    const name = machineName(ubuntu ? 'ubuntu' : suite);
    let machine: Machine;

    if (suite === 'forky' && tooOld) {
      it('needs a controller with Python 3.12 or newer', () => {
        throw new Error('There is none here: install one, remove .venv and run again.');
      });
      return;
    }

    before('make it', async () => {
      machine = await freshMachine(suite, name);
      if (ubuntu) await sandbox(name, suite, 'ubuntu');
    });

    after('make room for the next', async () => {
      if (!process.env['KEEP_MACHINES']) await sandbox(name, suite, 'down');
    });

    it(`survives a first run that is killed after "${killAfter}"`, async () => {
      const killed = await machine.play({
        strategy: 'linear',
        watch: (task, signal) => {
          if (task.name === killAfter) signal('SIGKILL');
        },
      });
      expect(killed.changed).to.include(killAfter);
    });

    it('is provisioned by the run after', async () => {
      expect(await converge(machine, { strategy: 'linear' })).to.have.length.above(0);
    });

    it('has its commands where sudo finds them', async () => {
      for (const command of ['map-app --help', 'map-app-backup list']) {
        const { code, output } = await machine.ssh(
          `runuser -u operator -- sudo --non-interactive ${command}`,
        );
        expect(code, output).to.equal(0);
      }
    });

    it('is left alone by a second run', async () => {
      expect(await converge(machine)).to.deep.equal([]);
    });

    it('answers over https', async () => {
      const answer = await ask(machine, '/readyz');
      expect(answer.status, answer.body).to.equal(200);
    });

    it('lets ssh, http and https in and nothing else', async () => {
      expect(await openPorts(machine)).to.deep.equal([22, 80, 443]);
    });

    it('offers nothing by ssh that ssh-audit fails', () => expectModernSsh(machine));

    if (ubuntu) {
      it('has but one firewall, and ssh.socket still owns the port', async () => {
        expect(await machine.must('ufw status')).to.equal('Status: inactive');
        expect(await machine.must('systemctl is-enabled ssh.socket')).to.equal('enabled');
        expect(await machine.must('systemctl show --property=TriggeredBy ssh.service')).to.contain(
          'ssh.socket',
        );
      });
    }
  });
}
