import { expect } from 'chai';
import { exceptions } from './check-exceptions.ts';
import { converge, freshMachine, type Machine } from './machine.ts';
import { explain } from './playbook.ts';

const plain = { strategy: 'linear' } as const;

describe('A fresh machine', () => {
  let machine: Machine;
  let predicted: string[];
  let changed: string[];

  before('make it', async () => {
    machine = await freshMachine('trixie');
  });

  it('passes --check --diff', async () => {
    const run = await machine.play({ ...plain, arguments: ['--check', '--diff'] });
    expect(run.code, explain(run)).to.equal(0);
    predicted = run.changed;
    expect(predicted).to.have.length.above(0);
  });

  it('is provisioned by one run', async () => {
    changed = await converge(machine, plain);
    expect(changed).to.have.length.above(0);
  });

  it('was changed by the tasks that the check had named, but for the known exceptions', () => {
    const differences = [
      ...changed.filter((task) => !predicted.includes(task)).map((task) => `not named by the check: ${task}`),
      ...predicted
        .filter((task) => !changed.includes(task))
        .map((task) => `named by the check only: ${task}`),
    ];
    expect(differences.sort()).to.deep.equal(
      Object.keys(exceptions).sort(),
      `tests/machine/check-exceptions.ts lists what may differ and why, and these do: ${differences.join('; ')}`,
    );
  });

  it('is left alone by a second run', async () => {
    expect(await converge(machine, plain)).to.deep.equal([]);
  });

  for (const strategy of ['linear', 'mitogen'] as const) {
    it(`is left alone by --check --diff (${strategy})`, async () => {
      expect(await converge(machine, { strategy, arguments: ['--check', '--diff'] })).to.deep.equal([]);
    });
  }

  for (const time of ['once', 'twice']) {
    it(`is left alone by a run with Mitogen, ${time}`, async () => {
      const run = await machine.play({ strategy: 'mitogen' });
      expect(run.code, explain(run)).to.equal(0);
      expect(run.changed).to.deep.equal([]);
      // What Ansible says of any strategy that is not its own: without it, Mitogen was not used.
      expect(run.output).to.contain('strategy plugins not included in ansible.builtin');
    });
  }
});
