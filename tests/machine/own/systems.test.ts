import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { root } from '../../run/command.ts';
import { machineName } from '../../run/machines.ts';
import { print } from '../../run/output.ts';
import { expectModernSsh, openPorts } from '../hardening.ts';
import { ask, converge, freshMachine, psql, sandbox, type Machine } from '../machine.ts';
import { explain } from '../playbook.ts';
import { taskName } from '../task-name.ts';

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
  {
    title: 'Debian bookworm',
    suite: 'bookworm',
    interruptedAfter: [
      taskName('Install PostgreSQL'),
      taskName('Write the configuration and the units of the API'),
    ],
  },
  {
    title: 'Debian forky',
    suite: 'forky',
    interruptedAfter: [taskName('Deploy the release to the workers')],
  },
  {
    title: 'Debian trixie, like Ubuntu',
    suite: 'trixie',
    ubuntu: true,
    interruptedAfter: [taskName('Configure sshd')],
  },
];

// To interrupt the runs after each task that changes something, which takes 40 minutes:
//   INTERRUPT=all TEST_MINUTES=120 scripts/test machine tests/machine/own/systems.test.ts
const everywhere = process.env['INTERRUPT'] === 'all';

/**
 * Runs site.yml until a run is complete. Interrupts it once after each of these tasks: the first time it kills the controller, the second time also
 * the machine, like a power failure, and so on. @returns the tasks after which it interrupted a run
 */
async function provisionInterrupted(machine: Machine, tasks: string[]): Promise<string[]> {
  const interrupted: string[] = [];
  for (;;) {
    let last: string | undefined;
    const run = await machine.play({
      strategy: 'linear',
      watch: ({ name, changed }, signal) => {
        if (last !== undefined || !changed || interrupted.includes(name)) return;
        if (!everywhere && !tasks.includes(name)) return;
        last = name;
        signal('SIGKILL');
      },
    });
    if (last === undefined) {
      expect(run.code, explain(run)).to.equal(0);
      return interrupted;
    }
    interrupted.push(last);
    if (everywhere) print(`     interrupted after "${last}"\n`);
    if (interrupted.length % 2 === 0) await sandbox(machine.name, machine.suite, 'crash');
  }
}

for (const { title, suite, ubuntu, interruptedAfter } of systems) {
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

    it(`is provisioned although runs are interrupted after "${interruptedAfter.join('" and "')}"`, async function () {
      if (everywhere) this.timeout(0);
      expect(await provisionInterrupted(machine, interruptedAfter)).to.include.members(interruptedAfter);
    });

    it('runs no unit that has not read its files', async () => {
      const units = [
        ...['map-app@1.service', 'map-app@2.service'].map((name) => ({
          name,
          state: 'started',
          reads: ['/etc/map-app', '/opt/map-app/current'],
        })),
        { name: 'nginx.service', state: 'started', reads: ['/etc/nginx'], since: '/run/nginx.reloaded' },
      ];
      const found = await machine.must(`echo '${JSON.stringify({ units })}' | map-app units --check --json`);
      expect(JSON.parse(found).changed, found).to.equal(false);
      expect(await psql(machine, 'select name from pg_settings where pending_restart')).to.equal('');
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
