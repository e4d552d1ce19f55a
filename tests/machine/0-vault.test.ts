import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run, type Ended } from '../run/command.ts';
import { decrypted } from './vault.ts';

describe('scripts/vault', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-vault-'));
  const file = join(folder, 'inventory/production/group_vars/production/vault.yml');
  const password = join(folder, 'password');
  const keys: Record<string, string> = {};

  before('make a vault, and keys to put into it', async () => {
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

  /** Runs a command in a terminal and types these answers to its prompts. Then looks what is left for the shell. */
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
    it(`stores a whole key that is pasted in a terminal, and does not show it: ${kind}`, async () => {
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
  const refused: Record<string, [name: string, given: () => string, sentence: RegExp]> = {
    'the first line of a key': ['backup_repository_key', () => key()[0]!, /is one private key.* This is not one/],
    'a key without its end': ['certificates_own_key', () => key().slice(0, 9).join('\n'), /This is not one/],
    'a key that lacks a line': ['certificates_own_key', () => key().toSpliced(5, 1).join('\n'), /damaged/],
    'two keys': ['backup_repository_key', () => keys['ssh']! + keys['rsa']!, /This is openssh private key and/],
    'a key with a command after it': ['backup_repository_key', () => `${keys['rsa']!}ls\n`, /with other text/],
    'a key with a passphrase': ['backup_repository_key', () => keys['locked']!, /has a passphrase/],
    'the public key': ['backup_repository_key', () => keys['ssh.pub']!, /This is the public key/],
    'half of a JSON key': ['backup_repository_key', () => keys['json']!.slice(0, 200), /This JSON is incomplete/],
    'two lines for a word': ['map_app_geocoder_key', () => 'one\ntwo\n', /is one word on one line/],
    'no address of a mail server': ['map_app_smtp_url', () => 'mail.example.org', /is an address such as smtps:/],
    nothing: ['map_app_smtp_url', () => '\n', /No new map_app_smtp_url was given/],
  }; // prettier-ignore
  for (const [what, [name, given, sentence]] of Object.entries(refused)) {
    it(`refuses ${what}, and leaves the vault as it is`, async () => {
      const before = readFileSync(file, 'utf8');
      const { code, output } = await vault(`rotate production ${name}`, given());
      expect(code).to.equal(1);
      expect(output)
        .to.match(sentence)
        .and.to.match(/nothing is written/i);
      expect(readFileSync(file, 'utf8')).to.equal(before);
    });
  }

  it('hands no pasted line to the shell', async () => {
    const { code, output } = await typed(command('rotate production map_app_smtp_url'), [
      ['New map_app_smtp_url', 'smtps://mail.example.org\ntouch pasted\nls\n'],
    ]);
    expect(code).to.equal(1);
    expect(output)
      .to.match(/is one word on one line/)
      .and.contain('left: []');
  });

  it('lets a playbook that reads no secret do without the password, and no other', async () => {
    const read = (name: string) =>
      run(['ansible', 'all', `--inventory=${folder}/inventory/production`, '--module-name=ansible.builtin.debug', `--args=var=${name}`]); // prettier-ignore
    expect(await must(read('map_app_domain'))).to.contain('map.example.org');
    expect((await read('map_app_session_key')).output).to.contain('no vault secrets found');
  });

  it('changes the password, after which the former one opens nothing', async () => {
    const session = await held('map_app_session_key');
    await must(
      typed(command('rekey production'), [
        ['New password', 'second\n'],
        ['The same again', 'second\n'],
      ]),
    );
    const { code, output } = await vault('rotate production map_app_session_key');
    expect(code).to.equal(1);
    expect(output).to.match(/^vault: This password does not open .*vault\.yml\.$/m);
    writeFileSync(password, 'second\n');
    expect(await held('map_app_session_key')).to.equal(session);
  });

  it('reads a vault that a former release encrypted as a whole, and encrypts each value by itself', async () => {
    writeFileSync(file, 'map_app_session_key: "5e"\nbackup_repository_key: ""\nof_my_own: "mine"\n');
    await must(run(['ansible-vault', 'encrypt', `--vault-password-file=${password}`, file]));
    await must(vault('rotate production backup_repository_key', keys['ssh']));
    expect(readFileSync(file, 'utf8')).to.match(/^map_app_session_key: !vault/);
    expect(await held('of_my_own')).to.equal('mine');
    expect(await held('backup_repository_key')).to.equal(keys['ssh']!.trim());
  });
});
