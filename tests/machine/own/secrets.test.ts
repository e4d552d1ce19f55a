import {
  appendFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run } from '../../run/command.ts';
import { certificate } from '../certificate.ts';
import { domain, freshMachine, restarted, unitStarts, type Machine } from '../machine.ts';
import { explain, type RunOptions } from '../playbook.ts';
import { decrypted } from '../vault.ts';
import { taskName } from '../task-name.ts';

/** The variables that hold a secret: those with `no_log` in the roles' argument specs. */
function secretVariables(): string[] {
  const specifications = globSync('roles/*/meta/argument_specs.yml', { cwd: root });
  return specifications.flatMap((file) =>
    [
      ...readFileSync(join(root, file), 'utf8').matchAll(/^ {6}(\w+):\n(?: {8}.*\n)*? {8}no_log: true$/gm),
    ].map(([, name]) => name!),
  );
}

describe('Secrets', () => {
  let machine: Machine;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-vault-'));
  const variables = join(folder, 'inventory/sandbox/group_vars/sandbox');
  const password = join(folder, 'password');
  /** For each secret, a unique part of it, which must not appear anywhere. */
  const canaries: Record<string, string> = {};

  /** Runs scripts/vault on the inventory of these tests, with `given` on its standard input. */
  const vault = (words: string, given = '') =>
    run([
      'sh',
      '-c',
      `printf %s "$1" | '${folder}/scripts/vault' --vault-password-file '${password}' ${words}`,
      'sh',
      given,
    ]);

  async function mustVault(words: string, given?: string): Promise<void> {
    const { code, output } = await vault(words, given);
    expect(code, output).to.equal(0);
    expect(Object.values(canaries).filter((canary) => output.includes(canary))).to.deep.equal([]);
  }

  const held = (name: string) => decrypted(`${variables}/vault.yml`, password, name);

  const play = (options: Omit<RunOptions, 'sandbox'> = {}) =>
    machine.play({
      strategy: 'linear',
      inventory: join(folder, 'inventory/sandbox'),
      ...options,
      environment: { ANSIBLE_VAULT_PASSWORD_FILE: password, ...options.environment },
    });

  const shown = (text: string) => Object.keys(canaries).filter((name) => text.includes(canaries[name]!));

  before('create a vault with a canary in each secret, and a machine', async () => {
    // A copy of the project's folder for scripts/vault, which works relative to its own location.
    for (const name of ['scripts', '.venv', 'requirements.txt'])
      symlinkSync(join(root, name), join(folder, name));
    mkdirSync(join(folder, 'inventory'));
    cpSync(join(root, 'inventory/sandbox'), join(folder, 'inventory/sandbox'), { recursive: true });
    cpSync(
      join(root, 'inventory/production/group_vars/production/vault.yml.example'),
      `${variables}/vault.yml.example`,
    );
    writeFileSync(password, 'the password of the vault\n', { mode: 0o600 });

    await mustVault('make sandbox');
    const { chain, key } = await certificate(folder, { names: [domain] });
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'repository')]);
    const repository = readFileSync(join(folder, 'repository'), 'utf8');
    const random = (await run(['openssl', 'rand', '-hex', '12'])).output.trim();
    // Variables that the secrets require. The options of the repository may contain secrets, so the whole variable is secret; this option has
    // no effect.
    const others = {
      certificates_own_chain: chain,
      map_app_mail_from: 'map@example.org',
      map_app_geocoder_url: 'https://geocoder.example.org',
      backup_repository: { path: '/var/lib/pgbackrest', 's3-key-secret': `s3${random}` },
    };
    canaries['backup_repository'] = `s3${random}`;
    appendFileSync(
      `${variables}/vars.yml`,
      `\n${Object.entries(others)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
        .join('\n')}\n`,
    );
    const given: Record<string, [value: string, canary: string]> = {
      map_app_smtp_url: [`smtps://user:mail${random}@mail.example.org`, `mail${random}`],
      map_app_geocoder_key: [`geo${random}`, `geo${random}`],
      // Not one of the first lines, which are similar in all OpenSSH keys.
      backup_repository_key: [repository, repository.split('\n')[4]!],
      certificates_own_key: [key, key.split('\n')[1]!],
    };
    for (const [name, [value, canary]] of Object.entries(given)) {
      canaries[name] = canary;
      await mustVault(`rotate sandbox ${name}`, value);
    }
    for (const name of ['map_app_session_key', 'backup_cipher_pass', 'backup_files_key'])
      canaries[name] = await held(name);
    machine = await freshMachine('trixie');
  });

  after(() => rmSync(folder, { recursive: true }));

  it('all have a canary in this test', () => {
    expect(Object.keys(canaries).sort()).to.deep.equal(secretVariables().sort());
    expect(Object.values(canaries).filter((canary) => canary.length < 16)).to.deep.equal([]);
  });

  it('do not appear in the output of site.yml or in a process list', async () => {
    // The machine's processes are visible on the host, so one list shows those of both.
    const seen: string[] = [];
    const look = setInterval(() => {
      void run(['sh', '-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']).then(({ output }) => {
        seen.push(...shown(output));
      });
    }, 300);
    const result = await play({ arguments: ['-vvv', '--diff'] });
    clearInterval(look);
    expect(result.code, explain(result)).to.equal(0);
    expect(result.changed).to.include.members([
      taskName('Write the configuration and the units of the API'),
      taskName('Configure the backups'),
      taskName("Write the operator's key"),
    ]);
    expect(shown(result.output), 'the output').to.deep.equal([]);
    expect(seen).to.deep.equal([]);
  });

  const runs: Record<string, Omit<RunOptions, 'sandbox'>> = {
    'a run that fails': { vars: { map_app_workers: 'many' } },
    'the status': { playbook: 'playbooks/status.yml' },
    'a backup': { playbook: 'playbooks/backup.yml' },
    'a deploy': { playbook: 'playbooks/deploy.yml' },
  };
  for (const [what, options] of Object.entries(runs)) {
    it(`do not appear in the output of ${what}`, async () => {
      const result = await play({
        ...options,
        arguments: ['-vvv', '--diff'],
      });
      const { code, output, changed } = result;
      expect(shown(output)).to.deep.equal([]);
      expect(code === 0, explain(result)).to.equal(what !== 'a run that fails');
      if (what !== 'a backup') expect(changed).to.deep.equal([]);
    });
  }

  it('do not appear in the journal, logs, environments or world-readable files', async () => {
    // grep reads the canaries from a file, so that it does not find its own command line.
    const find = async (command: string) => (await machine.ssh(command)).output.trim();
    const matching = 'grep --fixed-strings --file=/root/canaries';
    await machine.must(`umask 077; cat >/root/canaries <<'END'\n${Object.values(canaries).join('\n')}\nEND`);
    try {
      expect(
        await find(`${matching} --recursive --files-with-matches /etc/map-app/credentials`),
      ).not.to.equal('');
      expect(await find(`journalctl --no-pager | ${matching} --count`)).to.equal('0');
      expect(await find(`${matching} --recursive --files-with-matches /var/log`)).to.equal('');
      expect(
        await find(
          `find / -xdev -type f -perm /o=r -not -path "/proc/*" -size -20M -print0 | xargs -0 ${matching} --files-with-matches`,
        ),
      ).to.equal('');
      expect(await find(`cat /proc/[0-9]*/environ | tr "\\0" "\\n" | ${matching} --count`)).to.equal('0');
    } finally {
      await machine.must('rm /root/canaries');
    }
  });

  it('can be rotated by one command and a run, which restarts only the services that use them', async () => {
    const before = await unitStarts(machine);
    await mustVault('rotate sandbox map_app_session_key');
    const key = await held('map_app_session_key');
    expect(key)
      .to.match(/^[0-9a-f]{64}$/)
      .and.not.equal(canaries['map_app_session_key']);
    const result = await play();
    expect(result.code, explain(result)).to.equal(0);
    expect(await machine.must('cat /etc/map-app/credentials/SESSION_KEY')).to.equal(key);
    expect(restarted(before, await unitStarts(machine))).to.deep.equal([
      'map-app@1.service',
      'map-app@2.service',
    ]);
  });

  it('cannot be rotated if data would be lost: the cipher passphrase of the backups', async () => {
    const { code, output } = await vault('rotate sandbox backup_cipher_pass');
    expect(code).to.equal(1);
    expect(output).to.match(/backup_cipher_pass cannot be rotated: .* could no longer be read/);
  });

  it('cannot be read with a wrong vault password, and the machine is not changed', async () => {
    const wrong = join(folder, 'wrong');
    writeFileSync(wrong, 'another\n');
    const before = readFileSync(`${variables}/vault.yml`, 'utf8');
    const result = await play({ environment: { ANSIBLE_VAULT_PASSWORD_FILE: wrong } });
    expect(result.code).not.to.equal(0);
    expect(result.output).to.match(/Decryption failed/);
    expect(result.changed).to.deep.equal([]);
    const { code, output } = await run([
      `${folder}/scripts/vault`,
      `--vault-password-file=${wrong}`,
      'rotate',
      'sandbox',
      'map_app_session_key',
    ]);
    expect(code).to.equal(1);
    expect(output).to.match(/^vault: This password does not open .*vault\.yml\.$/m);
    expect(readFileSync(`${variables}/vault.yml`, 'utf8')).to.equal(before);
  });

  it('can be deployed by a sudo user as well as by root', async function () {
    // Two runs without Mitogen, which take minutes on a busy host.
    this.timeout(1_200_000);
    const options = { vars: { ansible_user: 'operator' } };
    await machine.must('chmod 0600 /etc/map-app/map-app.env');
    const healed = await play({ ...options, arguments: ['--tags', 'map_app'] });
    expect(healed.changed, explain(healed)).to.deep.equal([
      taskName('Write the configuration and the units of the API'),
    ]);
    const again = await play(options);
    expect(again.code, explain(again)).to.equal(0);
    expect(again.changed).to.deep.equal([]);
  });
});
