import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run, type Ended } from '../run/command.ts';
import { decrypted } from '../machine/vault.ts';

describe('scripts/vault', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-vault-'));
  const file = join(folder, 'inventory/production/group_vars/production/vault.yml');
  const password = join(folder, 'password');
  const keys: Record<string, string> = {};

  before('create a vault, and keys to store in it', async () => {
    for (const name of ['scripts', '.venv', 'requirements.txt'])
      symlinkSync(join(root, name), join(folder, name));
    mkdirSync(join(folder, 'inventory'));
    cpSync(join(root, 'inventory/production'), join(folder, 'inventory/production'), { recursive: true });
    rmSync(file, { force: true });
    writeFileSync(password, 'first\n');
    const made = await run([
      'sh',
      '-ec',
      `cd ${folder}; ssh-keygen -q -t ed25519 -N '' -f ssh; ssh-keygen -q -t ed25519 -N secret -f locked; ` +
        'openssl genrsa -out rsa 4096; openssl ecparam -name prime256v1 -genkey -out ec',
    ]);
    expect(made.code, made.output).to.equal(0);
    for (const name of ['ssh', 'ssh.pub', 'locked', 'rsa', 'ec'])
      keys[name] = readFileSync(join(folder, name), 'utf8');
    keys['json'] = JSON.stringify({ type: 'service_account', private_key: keys['rsa'] }, null, 2);
    await must(vault('make production'));
  });

  after(() => rmSync(folder, { recursive: true }));

  const command = (words: string) => `'${folder}/scripts/vault' --vault-password-file '${password}' ${words}`;

  const vault = (words: string, given = '') =>
    run(['sh', '-c', `printf %s "$1" | ${command(words)}`, 'sh', given]);

  /** Runs a command in a terminal and types these answers to its prompts. Then prints the input that is left for the shell. */
  const typed = (words: string, answers: [prompt: string, typed: string][]) =>
    run([
      'python3',
      'tests/machine/terminal.py',
      JSON.stringify(answers),
      'bash',
      '-c',
      `${words}; code=$?; read -t 1 line; echo "left: [$line]"; exit $code`,
    ]);

  async function must(ended: Promise<Ended>): Promise<string> {
    const { code, output } = await ended;
    expect(code, output).to.equal(0);
    return output;
  }

  const held = (name: string) => decrypted(file, password, name);

  for (const kind of ['ssh', 'rsa', 'ec', 'json']) {
    it(`stores a multi-line key that is pasted into a terminal, without echo: ${kind}`, async () => {
      const output = await must(
        typed(command('rotate production backup_repository_key'), [
          ['New backup_repository_key', `${keys[kind]!.trim()}\n`],
        ]),
      );
      expect(await held('backup_repository_key')).to.equal(keys[kind]!.trim());
      expect(output).to.contain('left: []').and.not.contain(keys[kind]!.split('\n')[4]);
    });
  }

  const key = () => keys['rsa']!.split('\n');
  // One case per line.
  // prettier-ignore
  const refused: Record<string, [name: string, given: () => string, sentence: RegExp]> = {
    'the first line of a key': ['backup_repository_key', () => key()[0]!, /must be exactly one private key.* This value contains no complete key/],
    'a key without its last line': ['certificates_own_key', () => key().slice(0, 9).join('\n'), /This value contains no complete key/],
    'a key with a missing line': ['certificates_own_key', () => key().toSpliced(5, 1).join('\n'), /damaged/],
    'two keys': ['backup_repository_key', () => keys['ssh']! + keys['rsa']!, /This value contains OPENSSH PRIVATE KEY, /],
    'a key with a command after it': ['backup_repository_key', () => `${keys['rsa']!}ls\n`, /and other text/],
    'a key with a passphrase': ['backup_repository_key', () => keys['locked']!, /has a passphrase/],
    'a public key': ['backup_repository_key', () => keys['ssh.pub']!, /This is the public key/],
    'half of a JSON key': ['backup_repository_key', () => keys['json']!.slice(0, 200), /This JSON is incomplete/],
    'two lines instead of one word': ['map_app_geocoder_key', () => 'one\ntwo\n', /must be one word on one line/],
    'a mail server without a URL scheme': ['map_app_smtp_url', () => 'mail.example.org', /must be a URL such as smtps:/],
    'an empty value': ['map_app_smtp_url', () => '\n', /No new map_app_smtp_url was given/],
  };
  for (const [what, [name, given, sentence]] of Object.entries(refused)) {
    it(`rejects ${what} and does not change the vault`, async () => {
      const before = readFileSync(file, 'utf8');
      const { code, output } = await vault(`rotate production ${name}`, given());
      expect(code).to.equal(1);
      expect(output)
        .to.match(sentence)
        .and.to.match(/nothing was written/i);
      expect(readFileSync(file, 'utf8')).to.equal(before);
    });
  }

  it('leaves no pasted line to the shell', async () => {
    const { code, output } = await typed(command('rotate production map_app_smtp_url'), [
      ['New map_app_smtp_url', 'smtps://mail.example.org\ntouch pasted\nls\n'],
    ]);
    expect(code).to.equal(1);
    expect(output)
      .to.match(/must be one word on one line/)
      .and.contain('left: []');
  });

  it('creates a vault whose password is needed only by playbooks that read a secret', async () => {
    const read = (name: string) =>
      run([
        'ansible',
        'all',
        `--inventory=${folder}/inventory/production`,
        '--module-name=ansible.builtin.debug',
        `--args=var=${name}`,
      ]);
    expect(await must(read('map_app_domain'))).to.contain('map.example.org');
    expect((await read('map_app_session_key')).output).to.contain('no vault secrets found');
  });

  it('changes the password, and the former one no longer opens the vault', async () => {
    const session = await held('map_app_session_key');
    await must(
      typed(command('rekey production'), [
        ['New password', 'second\n'],
        ['Repeat the new password', 'second\n'],
      ]),
    );
    const { code, output } = await vault('rotate production map_app_session_key');
    expect(code).to.equal(1);
    expect(output).to.match(/^vault: This password does not open .*vault\.yml\.$/m);
    writeFileSync(password, 'second\n');
    expect(await held('map_app_session_key')).to.equal(session);
  });

  it('converts a vault that an earlier release encrypted as a whole', async () => {
    writeFileSync(file, 'map_app_session_key: "5e"\nbackup_repository_key: ""\nof_my_own: "mine"\n');
    await must(run(['ansible-vault', 'encrypt', `--vault-password-file=${password}`, file]));
    await must(vault('rotate production backup_repository_key', keys['ssh']));
    expect(readFileSync(file, 'utf8')).to.match(/^map_app_session_key: !vault/);
    expect(await held('of_my_own')).to.equal('mine');
    expect(await held('backup_repository_key')).to.equal(keys['ssh']!.trim());
  });
});
