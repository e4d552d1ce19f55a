import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { environment, root } from '../run/command.ts';

describe('scripts/deploy', () => {
  function deploy(...args: string[]) {
    const { status, stdout, stderr } = spawnSync('scripts/deploy', args, {
      cwd: root,
      encoding: 'utf8',
      env: environment({ SANDBOX: 'none' }),
    });
    return { status, output: stdout + stderr };
  }

  for (const name of readdirSync(`${root}inventory`)) {
    it(`runs its playbook on the inventory ${name}`, function () {
      this.timeout(120_000);
      const { status, output } = deploy(name, '--list-hosts');
      expect(output).to.match(/playbook: playbooks\/deploy\.yml[^]*\(app\): Deploy the release/);
      expect(status, output).to.equal(0);
    });
  }

  for (const name of ['', '.', 'nowhere', 'sandbox/group_vars']) {
    it(`rejects ${name || 'an empty name'}, with the names of the environments`, () => {
      const { status, output } = deploy(name);
      expect(output).to.match(/no valid environment was given\. Use one of: production sandbox staging\./);
      expect(status, output).to.equal(2);
    });
  }
});
