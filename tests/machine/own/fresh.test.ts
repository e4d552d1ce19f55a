import { expect } from 'chai';
import { exceptions } from '../check-exceptions.ts';
import { converge, freshMachine, type Machine } from '../machine.ts';
import { explain } from '../playbook.ts';

const plain = { strategy: 'linear' } as const;

describe('A fresh machine', () => {
  let machine: Machine;
  let predicted: string[];
  let changed: string[];

  before('create the machine', async () => {
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

  it('is changed by exactly the tasks that --check predicted, except for the known exceptions', () => {
    const differences = [
      ...changed.filter((task) => !predicted.includes(task)).map((task) => `not predicted: ${task}`),
      ...predicted.filter((task) => !changed.includes(task)).map((task) => `only predicted: ${task}`),
    ];
    expect(differences.sort()).to.deep.equal(
      Object.keys(exceptions).sort(),
      `tests/machine/check-exceptions.ts lists the expected differences. The actual ones are: ${differences.join('; ')}`,
    );
  });

  it('is not changed by a second run', async () => {
    expect(await converge(machine, plain)).to.deep.equal([]);
  });

  for (const strategy of ['linear', 'mitogen'] as const) {
    it(`is not changed according to --check --diff (${strategy})`, async () => {
      expect(await converge(machine, { strategy, arguments: ['--check', '--diff'] })).to.deep.equal([]);
    });
  }

  it('is not changed by a run with Mitogen', async () => {
    const run = await machine.play({ strategy: 'mitogen' });
    expect(run.code, explain(run)).to.equal(0);
    expect(run.changed).to.deep.equal([]);
    // Ansible's warning about third-party strategies proves that Mitogen was used.
    expect(run.output).to.contain('strategy plugins not included in ansible.builtin');
  });
});
