import { expect } from 'chai';
import { run } from '../../run/command.ts';
import { expectModernSsh } from '../hardening.ts';
import { eventually, provisionedMachine, type Machine } from '../machine.ts';
import { explain, type RunOptions } from '../playbook.ts';
import { taskName } from '../task-name.ts';

const file = '/etc/ssh/sshd_config.d/00-map-app.conf';

// The ssh options of an operator whose known_hosts has only a host key of a type that the new settings no longer offer.
const lockedOut =
  '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o HostKeyAlgorithms=ecdsa-sha2-nistp256';

describe('The role ssh', () => {
  let machine: Machine;
  const play = (options: Omit<RunOptions, 'sandbox'> = {}) =>
    machine.play({ strategy: 'linear', arguments: ['--tags', 'ssh'], ...options });
  /** Returns whether sshd still offers a host key of the type that the new settings remove. */
  const hasOldSettings = () =>
    run(['ssh-keyscan', '-T', '5', '-t', 'ecdsa', machine.address]).then(({ output }) =>
      output.includes('ecdsa-sha2-nistp256'),
    );

  before("provision the machine, and restore the distribution's settings", async () => {
    machine = await provisionedMachine();
    await machine.must(`rm -f ${file} /run/ssh.proven && systemctl reload ssh`);
    await machine.must(
      "id guest >/dev/null 2>&1 || useradd --create-home guest; echo guest:let-me-in | chpasswd; echo 'guest ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/guest",
    );
  });

  after('remove the user guest', async () => {
    await machine.must('rm /etc/sudoers.d/guest; userdel --force --remove guest');
  });

  it('fails and keeps password logins if the operator has no key', async () => {
    const result = await play({ vars: { ansible_user: 'guest', ansible_password: 'let-me-in' } });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(/does not accept your ssh key.*ssh-copy-id/);
    expect(result.changed).to.deep.equal([]);
  });

  it('rolls back if the new settings lock out the operator', async () => {
    const result = await play({ vars: { ansible_ssh_common_args: lockedOut } });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(
      /The new ssh settings of .* failed and were rolled back/,
    );
    expect((await machine.ssh(`test -e ${file}`)).code).to.equal(1);
    // sshd accepts no connection for a moment while it reloads.
    await eventually(30, async () => expect(await hasOldSettings()).to.equal(true));
  });

  it('rolls back automatically if the run is killed before the test login', async () => {
    await play({
      vars: { second_login_seconds: 4 },
      watch: (task, signal) => {
        if (task.name === taskName('Apply the change')) signal('SIGKILL');
      },
    });
    await eventually(60, async () => {
      expect((await machine.ssh(`test -e ${file}`)).code).to.equal(1);
      expect(await hasOldSettings()).to.equal(true);
    });
  });

  it('applies the settings in the next run', async () => {
    const result = await play();
    expect(result.code, explain(result)).to.equal(0);
    expect(result.changed).to.deep.equal([
      taskName('Configure sshd'),
      taskName('Check whether sshd started before its settings changed'),
    ]);
  });

  it('leaves no algorithm that ssh-audit fails', () => expectModernSsh(machine));

  it('disables password authentication', async () => {
    const { output } = await run([
      'ssh',
      '-v',
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'PubkeyAuthentication=no',
      `guest@${machine.address}`,
      'true',
    ]);
    expect(output).to.match(/Authentications that can continue: publickey\s/);
    expect(output).to.contain('Permission denied (publickey)');
  });
});
