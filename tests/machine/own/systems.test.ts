import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { root } from '../../run/command.ts';
import { machineName } from '../../run/machines.ts';
import { expectModernSsh, openPorts } from '../hardening.ts';
import { ask, converge, freshMachine, sandbox, type Machine } from '../machine.ts';

// forky has Python 3.14, which needs ansible-core 2.20 or later, which needs Python 3.12 or later on the controller.
const tooOld = execFileSync(
  `${root}.venv/bin/python`,
  ['-c', 'import sys; print(sys.version_info < (3, 12))'],
  {
    encoding: 'utf8',
  },
).startsWith('True');

// All other tests run on trixie. Here it behaves like Ubuntu as far as possible.
const systems = [
  { title: 'Debian bookworm', suite: 'bookworm', killAfter: 'Install PostgreSQL' },
  { title: 'Debian forky', suite: 'forky', killAfter: 'Ship the archive of the release' },
  { title: 'Debian trixie, like Ubuntu', suite: 'trixie', ubuntu: true, killAfter: 'Configure sshd' },
];

for (const { title, suite, ubuntu, killAfter } of systems) {
  describe(title, () => {
    const name = machineName(ubuntu ? 'ubuntu' : suite);
    let machine: Machine;

    if (suite === 'forky' && tooOld) {
      it('needs a controller with Python 3.12 or newer', () => {
        throw new Error(
          'The controller has an older Python. Install Python 3.12 or later, remove .venv and run again.',
        );
      });
      return;
    }

    before('create the machine', async () => {
      machine = await freshMachine(suite, name);
      if (ubuntu) await sandbox(name, suite, 'ubuntu');
    });

    after('remove the machine', async () => {
      if (!process.env['KEEP_MACHINES']) await sandbox(name, suite, 'down');
    });

    it(`can be killed in its first run after "${killAfter}"`, async () => {
      const killed = await machine.play({
        strategy: 'linear',
        watch: (task, signal) => {
          if (task.name === killAfter) signal('SIGKILL');
        },
      });
      expect(killed.changed).to.include(killAfter);
    });

    it('is provisioned by the next run', async () => {
      expect(await converge(machine, { strategy: 'linear' })).to.have.length.above(0);
    });

    it('has its commands in the path of sudo', async () => {
      for (const command of ['map-app --help', 'map-app backups']) {
        const { code, output } = await machine.ssh(
          `runuser -u operator -- sudo --non-interactive ${command}`,
        );
        expect(code, output).to.equal(0);
      }
    });

    it('is not changed by another run', async () => {
      expect(await converge(machine)).to.deep.equal([]);
    });

    it('is ready over https', async () => {
      const answer = await ask(machine, '/readyz');
      expect(answer.status, answer.body).to.equal(200);
    });

    it('has only the ports 22, 80 and 443 open', async () => {
      expect(await openPorts(machine)).to.deep.equal([22, 80, 443]);
    });

    it('has no ssh algorithm that ssh-audit fails', () => expectModernSsh(machine));

    if (ubuntu) {
      it('has ufw disabled, and ssh.socket still owns the ssh port', async () => {
        expect(await machine.must('ufw status')).to.equal('Status: inactive');
        expect(await machine.must('systemctl is-enabled ssh.socket')).to.equal('enabled');
        expect(await machine.must('systemctl show --property=TriggeredBy ssh.service')).to.contain(
          'ssh.socket',
        );
      });
    }
  });
}
