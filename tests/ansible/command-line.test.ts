import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { environment, root } from '../run/command.ts';

/** Ansible's exit status for invalid options. */
const badOptions = 5;

describe('ansible-playbook fails with one sentence, given', () => {
  let folder: string;
  /** A copy of the shipped production inventory. */
  let inventory: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'map-app-inventory-'));
    inventory = join(folder, 'production');
    cpSync(`${root}inventory/production`, inventory, { recursive: true });
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function play(args: string[], cwd = root, variables: Record<string, string> = {}) {
    const { status, stdout, stderr } = spawnSync('ansible-playbook', args, {
      cwd,
      encoding: 'utf8',
      env: environment({ ANSIBLE_NOCOLOR: '1', ...variables }),
    });
    return { status, output: stdout + stderr };
  }

  function refused(args: string[], sentence: RegExp, cwd = root): void {
    const { status, output } = play(args, cwd);
    expect(output).to.match(sentence);
    expect(output).not.to.match(/^(PLAY|TASK) /m);
    expect(status, output).to.equal(badOptions);
  }

  const varsFile = (text: string) => writeFileSync(join(inventory, 'group_vars/production/vars.yml'), text);
  const hostsFile = (text: string) => writeFileSync(join(inventory, 'hosts.yml'), text);

  it('no inventory', () => refused(['site.yml'], /No inventory is given.* -i inventory\/production/));

  it('an inventory that does not exist', () =>
    refused(['-i', 'inventory/nowhere', 'site.yml'], /The inventory inventory\/nowhere does not exist/));

  it('an inventory without a machine', () => {
    hostsFile('web:\napp:\ndb:\n');
    refused(['-i', inventory, 'site.yml'], /production contains no machine/);
  });

  it('the inventory of a sandbox machine that does not exist, with the command that creates it', () => {
    const { status, output } = play(['-i', 'inventory/sandbox', 'site.yml'], root, { SANDBOX: 'none' });
    expect(output).to.match(/There is no machine none: SANDBOX=none npm run sandbox creates it\./);
    expect(status, output).to.equal(badOptions);
  });

  it('an inventory without one of the groups', () => {
    hostsFile('webs:\n  hosts:\n    map.centre.test:\napp:\ndb:\n');
    refused(['-i', inventory, 'site.yml'], /has no group web\./);
  });

  it('a variables file that is not valid YAML, with its line', () => {
    varsFile('map_app_domain: map.centre.test\nmap_app_donation_url: "https://centre.test\n');
    refused(
      ['-i', inventory, 'playbooks/status.yml'],
      /vars\.yml, line 3, column 1, is not valid YAML: .*quoted/,
    );
  });

  it('an inventory that is not valid YAML, with its line', () => {
    hostsFile('web:\n  hosts:\n\t\tmap.centre.test:\n');
    refused(['-i', inventory, 'site.yml'], /hosts\.yml, line 3, column 1, is not valid YAML/);
  });

  it('a variables file that is a list', () => {
    varsFile('- map_app_domain: map.centre.test\n');
    refused(['-i', inventory, 'site.yml'], /vars\.yml, line 1, must be lines of "name: value"/);
  });

  it('an invalid vault, without quoting it', () => {
    const vault = join(inventory, 'group_vars/production/vault.yml');
    const password = join(folder, 'password');
    writeFileSync(password, 'password');
    writeFileSync(vault, 'map_app_smtp_url: x\nbackup_cipher_pass: *geheim\n');
    spawnSync('ansible-vault', ['encrypt', '--vault-password-file', password, vault], { env: environment() });
    const { status, output } = play(['-i', inventory, '--vault-password-file', password, 'site.yml']);
    expect(status, output).to.equal(badOptions);
    expect(output).to.match(/vault\.yml, line 2, column 21, is not valid YAML\./);
    expect(output).not.to.contain('geheim');
  });

  it('an unknown tag', () =>
    refused(
      ['-i', inventory, 'site.yml', '--tags', 'nginx,ngnix'],
      /site\.yml has no tag ngnix\. Its tags are .*nginx/,
    ));

  it('an unknown tag to skip', () =>
    refused(
      ['-i', inventory, 'playbooks/backup.yml', '--skip-tags', 'nginx'],
      /backup\.yml has no tag nginx/,
    ));

  it('--start-at-task', () =>
    refused(
      ['-i', inventory, 'site.yml', '--start-at-task', 'Reload nginx'],
      /--start-at-task would skip the checks/,
    ));

  for (const playbook of ['site', 'playbooks/status', 'playbooks/deploy', 'playbooks/rebuild']) {
    it(`another working folder: ${playbook}.yml`, () =>
      refused(['-i', inventory, `${root}${playbook}.yml`], /Run it in the repository: cd \//, folder));
  }

  it('an Ansible that is too old, naming the environment to activate', () => {
    const script =
      "import sys; sys.path.insert(0, 'plugins/callback'); import command_line; command_line.__version__ = '2.16.3'; print(command_line.check_version(None))";
    const { stdout, stderr } = spawnSync('python', ['-c', script], {
      cwd: root,
      encoding: 'utf8',
      env: environment(),
    });
    expect(stdout, stderr).to.match(/^This is Ansible 2\.16\.3 .* too old .*\. \.venv\/bin\/activate$/m);
  });
});
