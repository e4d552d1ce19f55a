import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { root } from '../run/command.ts';
import { ask, converge, freshMachine, sandbox, type Machine } from './machine.ts';

// forky has Python 3.14, which Ansible manages from core 2.20 on, which itself needs Python 3.12.
const tooOld = execFileSync(
  `${root}.venv/bin/python`,
  ['-c', 'import sys; print(sys.version_info < (3, 12))'],
  {
    encoding: 'utf8',
  },
).startsWith('True');

// trixie is what all other tests run on.
for (const suite of ['bookworm', 'forky']) {
  describe(`Debian ${suite}`, () => {
    let machine: Machine;

    if (suite === 'forky' && tooOld) {
      it.skip('needs a controller with Python 3.12 or newer, and there is none here');
      return;
    }

    before('make it', async () => {
      machine = await freshMachine(suite);
    });

    after('make room for the next', async () => {
      if (!process.env['KEEP_MACHINES']) await sandbox(machine.name, suite, 'down');
    });

    it('is provisioned by one run', async () => {
      expect(await converge(machine)).to.have.length.above(0);
    });

    it('is left alone by a second run', async () => {
      expect(await converge(machine)).to.deep.equal([]);
    });

    it('answers over https', async () => {
      const answer = await ask(machine, '/readyz');
      expect(answer.status, answer.body).to.equal(200);
    });
  });
}
