import { expect } from 'chai';
import { run } from '../run/command.ts';
import { expectModernSsh } from './hardening.ts';
import { eventually, provisionedMachine, type Machine } from './machine.ts';
import { explain, type RunOptions } from './playbook.ts';

const file = '/etc/ssh/sshd_config.d/00-map-app.conf';

// As an operator's whose known_hosts has only a key of the kind that the new settings no longer offer.
const keptOut =
  '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o HostKeyAlgorithms=ecdsa-sha2-nistp256';

describe('ssh, where nobody is locked out', () => {
  let machine: Machine;
  const play = (options: Omit<RunOptions, 'sandbox'> = {}) =>
    machine.play({ strategy: 'linear', arguments: ['--tags', 'ssh'], ...options });
  /** Can someone still come in, by the kind of host key that the new settings no longer offer? */
  const asBefore = () =>
    run(['ssh-keyscan', '-T', '5', '-t', 'ecdsa', machine.address]).then(({ output }) =>
      output.includes('ecdsa-sha2-nistp256'),
    );

  before('provision it, and put back the settings that the system came with', async () => {
    machine = await provisionedMachine();
    await machine.must(`rm -f ${file} /run/ssh.proven && systemctl reload ssh`);
    await machine.must(
      "id guest >/dev/null 2>&1 || useradd --create-home guest; echo guest:let-me-in | chpasswd; echo 'guest ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/guest",
    );
  });

  after('remove the guest', async () => {
    await machine.must('rm /etc/sudoers.d/guest; userdel --force --remove guest');
  });

  it('keeps passwords where no key lets in, and says so in one sentence', async () => {
    const result = await play({ vars: { ansible_user: 'guest', ansible_password: 'let-me-in' } });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(/does not let you in by key.*ssh-copy-id/);
    expect(result.changed).to.deep.equal([]);
  });

  it('goes back where the new settings keep the operator out', async () => {
    const result = await play({ vars: { ansible_ssh_common_args: keptOut } });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(/gone back to its former settings of ssh/);
    expect((await machine.ssh(`test -e ${file}`)).code).to.equal(1);
    expect(await asBefore()).to.equal(true);
  });

  it('goes back by itself where the run was cut off before the proof', async () => {
    await play({
      vars: { second_login_seconds: 4 },
      watch: (task, signal) => {
        if (task.name === 'Change it') signal('SIGKILL');
      },
    });
    await eventually(20, async () => {
      expect((await machine.ssh(`test -e ${file}`)).code).to.equal(1);
      expect(await asBefore()).to.equal(true);
    });
  });

  it('is set by the next run', async () => {
    const result = await play();
    expect(result.code, explain(result)).to.equal(0);
    expect(result.changed).to.deep.equal([
      "Write ssh's settings",
      'Find out whether ssh runs with other settings',
    ]);
  });

  it('offers nothing that ssh-audit fails', () => expectModernSsh(machine));

  it('asks for no password', async () => {
    const { output } = await run([
      'ssh', '-v', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
      '-o', 'PubkeyAuthentication=no', `guest@${machine.address}`, 'true',
    ]); // prettier-ignore
    expect(output).to.match(/Authentications that can continue: publickey\s/);
    expect(output).to.contain('Permission denied (publickey)');
  });
});
