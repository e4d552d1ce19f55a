import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../run/command.ts';
import { sandboxes } from '../../run/machines.ts';
import {
  ask,
  converge,
  eventually,
  freshMachine,
  provisionedMachine,
  psql,
  sandbox,
  type Machine,
} from '../machine.ts';
import { explain } from '../playbook.ts';
import { repositoryMachine } from '../repository.ts';
import { taskName } from '../task-name.ts';

type Outcome = { ok: boolean; at: string; label: string; error: string | null };
type Status = {
  local_only: boolean;
  backup: Outcome;
  drill: Outcome | null;
  archive: { last: string; failed: string | null };
  problems: string[];
};

describe('Backups', () => {
  let machine: Machine;
  let repository: Machine;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-backup-'));
  /** The inventory's variables for the repository. */
  let vars: Record<string, unknown>;

  before('provision the machine, and create a second one with the backup repository', async () => {
    machine = await provisionedMachine();
    ({ machine: repository, vars } = await repositoryMachine(folder));
  });

  after(() => rmSync(folder, { recursive: true }));

  // postgresql too, because its unit must allow network access for the archive.
  const tags = ['--tags', 'postgresql,backup'];
  const playbook = (name: string, extra: Record<string, unknown> = {}) =>
    machine.play({ playbook: `playbooks/${name}.yml`, vars: extra });

  async function status(): Promise<Status> {
    const { output } = await machine.ssh('map-app backups status');
    return JSON.parse(output) as Status;
  }

  async function total(): Promise<number> {
    const { body } = await ask(machine, '/api/locations/counts');
    return (JSON.parse(body) as { total_visitors: number }).total_visitors;
  }

  async function pin(): Promise<void> {
    const { status, body } = await ask(machine, '/api/locations', { body: { lat: 39.7, long: -105 } });
    expect(status, body).to.equal(200);
  }

  const lastAuditLine = () => machine.must('tail -n 1 /var/log/map-app-audit.jsonl');
  const now = () => machine.must('date --utc +%FT%T.%N | cut -c1-26');

  /** Expects a command on the machine to fail with this message and to change nothing. */
  async function refused(command: string, sentence: RegExp) {
    const before = { total: await total(), list: await machine.must('map-app backups') };
    const { code, output } = await machine.ssh(command);
    expect(code, output).not.to.equal(0);
    expect(output).to.match(sentence);
    expect({ total: await total(), list: await machine.must('map-app backups') }).to.deep.equal(before);
  }

  /** Runs `action` while a setting that a role has written for the map-app command has another value. */
  async function withSetting(role: string, name: string, value: string, action: () => Promise<void>) {
    const settings = `/etc/map-app.d/${role}.json`;
    await machine.must(
      `cp ${settings} /root/settings && sed -i 's/"${name}": [^,]*/"${name}": ${value}/' ${settings} && ! cmp --silent /root/settings ${settings}`,
    );
    try {
      await action();
    } finally {
      await machine.must(`mv /root/settings ${settings}`);
    }
  }

  describe('to a second machine over ssh', () => {
    it('start with the run that configures it', async () => {
      expect(await converge(machine, { vars, arguments: tags })).to.include.members([
        taskName('Prepare the repository'),
        taskName('Take the first backup'),
      ]);
      expect(await status()).to.deep.include({ local_only: false, problems: [] });
    });

    it('are not changed by a second run or by --check', async () => {
      expect(await converge(machine, { vars, arguments: tags })).to.deep.equal([]);
      expect(await converge(machine, { vars, arguments: [...tags, '--check', '--diff'] })).to.deep.equal([]);
    });

    it('are encrypted there', async () => {
      const info = '/home/backups/map-app/backup/map-app/backup.info';
      expect(await repository.must(`head -c 8 ${info}`)).to.equal('Salted__');
    });

    it('are taken by playbooks/backup.yml, with the certificates and a dump that PostgreSQL can load', async () => {
      const result = await playbook('backup');
      expect(result.code, explain(result)).to.equal(0);
      const { label } = (await status()).backup;
      expect(label).to.match(/D$/);
      expect(await machine.must(`map-app backups dump ${label} | pg_restore --list`)).to.match(
        /TABLE DATA public pin /,
      );
      const files = await machine.must(`map-app backups certificates ${label} | tar -t`);
      expect(files).to.match(/^etc\/ssl\/map-app\/placeholder-[0-9a-f]+\/privkey\.pem$/m);
    });

    it('are kept according to backup_retention_full', async () => {
      await converge(machine, { vars: { ...vars, backup_retention_full: 1 }, arguments: tags });
      const full = async () => (await machine.must('map-app backups')).match(/\b\d{8}-\d{6}F(?!_)/g);
      const before = await full();
      const result = await playbook('backup', { kind: 'full' });
      expect(result.code, explain(result)).to.equal(0);
      expect(await full())
        .to.have.length(1)
        .and.not.deep.equal(before);
    });

    it("leave no files in the cluster's folder", async () => {
      await machine.must('! ls -d /var/lib/postgresql/*/main/map-app-backup');
    });

    it('and drills are started by timers', async () => {
      const timers = ['full', 'diff', 'drill'].map((what) => `map-app-backup@${what}.timer`).join(' ');
      expect(await machine.must(`systemctl is-active ${timers}`)).to.equal('active\nactive\nactive');
    });

    it('hide the cipher passphrase from other users', async () => {
      expect(await machine.must('stat --format=%a /etc/pgbackrest/pgbackrest.conf')).to.equal('640');
    });
  });

  describe('have a restore drill, which', () => {
    it('fails if the restored database differs', async () => {
      const moment = '/var/lib/map-app-backup/moment.json';
      await machine.must(`cp ${moment} /root/moment && sed -i '0,/"rows": /s//"rows": 9/' ${moment}`);
      try {
        await machine.must('! cmp -s /root/moment /var/lib/map-app-backup/moment.json');
        expect((await machine.ssh('systemctl start map-app-backup@drill')).code).not.to.equal(0);
        expect(await machine.must('systemctl is-failed map-app-backup@drill')).to.equal('failed');
        expect((await machine.ssh('map-app backups status')).code).to.equal(1);
        expect((await status()).problems.join()).to.match(/The drill of .* failed: .* instead of 9\d+ rows/);
      } finally {
        await machine.must(`mv /root/moment ${moment}`);
      }
    });

    it('restores the newest backup exactly, and removes its files', async () => {
      await pin();
      await machine.must('systemctl start map-app-backup@drill');
      expect(await status()).to.deep.include({ problems: [] });
      expect(await machine.must('ls /var/lib/postgresql/*/')).to.equal('main');
      expect((await machine.ssh('map-app backups status')).code).to.equal(0);
    });
  });

  describe('report errors and keep all data, with', () => {
    it('a wrong cipher passphrase', () =>
      refused('PGBACKREST_REPO1_CIPHER_PASS=wrong map-app restore latest --check', /backup_cipher_pass/));

    it('another cipher passphrase in the inventory, which is not written to the pgBackRest configuration', async () => {
      const settings = () => machine.must('cat /etc/pgbackrest/pgbackrest.conf');
      const before = await settings();
      const result = await machine.play({
        vars: { ...vars, backup_cipher_pass: 'f'.repeat(64) },
        arguments: tags,
      });
      expect(result.code).not.to.equal(0);
      expect(result.failure?.message).to.match(/backup_cipher_pass does not decrypt the repository/);
      expect(await settings()).to.equal(before);
      await psql(machine, 'select pg_switch_wal()');
      expect((await status()).problems).to.deep.equal([]);
    });

    it("a missing option, with pgBackRest's own error", () =>
      refused(
        'PGBACKREST_REPO1_TYPE=s3 map-app restore latest --check',
        /pgBackRest: info command requires option: repo1-s3-/,
      ));

    it('an unreachable repository', () =>
      refused(
        'PGBACKREST_REPO1_SFTP_HOST_PORT=1 PGBACKREST_IO_TIMEOUT=2 map-app backup --full',
        /The repository cannot be reached/,
      ));

    it('a full repository', async () => {
      await repository.ssh('dd if=/dev/zero of=/home/backups/map-app/filler bs=1M');
      try {
        await refused('PGBACKREST_ARCHIVE_TIMEOUT=5 map-app backup --full', /The repository is full/);
        expect((await status()).problems.join()).to.match(/The repository is full/);
      } finally {
        await repository.must('rm /home/backups/map-app/filler');
      }
    });

    it('a repository that is unreachable for so long that WAL must be dropped, while the site keeps running', async () => {
      const settings = '/etc/pgbackrest/pgbackrest.conf';
      await machine.must(
        `cp --archive ${settings} /root/kept.conf && sed -i 's/^archive-push-queue-max=.*/archive-push-queue-max=32MiB\\nrepo1-sftp-host-port=1/' ${settings}`,
      );
      try {
        for (let segment = 0; segment < 4; segment += 1) {
          await pin();
          await psql(machine, 'select pg_switch_wal()');
        }
        await eventually(400, async () =>
          expect((await status()).problems.join()).to.match(/WAL was dropped/),
        );
        await pin();
      } finally {
        await machine.must(`mv /root/kept.conf ${settings}`);
      }
      await refused(
        'map-app restore latest --check',
        /WAL after backup .* was dropped from .*: take a backup first/,
      );
      expect((await playbook('backup', { kind: 'full' })).code).to.equal(0);
      expect((await status()).problems).to.deep.equal([]);
      await machine.must('map-app restore latest --check');
    });

    it('a backup that does not exist', () =>
      refused('map-app restore 19990101-000000F --yes', /'19990101-000000F' is neither .* nor a backup/));

    it('a time before the first backup', () =>
      refused('map-app restore 1999-01-01 --yes', /oldest backup ended at .* cannot be restored/));

    it('a time in the future', () => refused('map-app restore 2999-01-01 --yes', /is in the future/));

    it('a backup of another PostgreSQL version', async () => {
      await withSetting('backup', 'version', '15', () =>
        refused(
          'map-app restore latest --yes',
          /was taken by PostgreSQL 17, and this machine has PostgreSQL 15, which cannot read it/,
        ),
      );
    });

    it("another machine's repository", async () => {
      await machine.must(
        'cd / && pg_createcluster 17 other --start --port=5499 && runuser -u postgres -- psql --port=5499 --command=\'create database "map-app"\' && ' +
          'runuser -u postgres -- psql --port=5499 --dbname=map-app --command="create table theirs ()"',
      );
      try {
        await refused('PGPORT=5499 map-app backups prepare', /belongs to another machine/);
        await refused('PGPORT=5499 map-app backups rebuild', /This machine is not fresh/);
      } finally {
        await machine.must('pg_dropcluster --stop 17 other');
      }
    });
  });

  describe('can be restored. A restore', () => {
    it('cannot be undone before the first one', () =>
      refused('map-app restore undo --check', /There is no restore to undo on this machine/));

    it('needs confirmation', async () => {
      const before = await total();
      const result = await playbook('restore');
      expect(result.code).not.to.equal(0);
      expect(result.failure?.message).to.match(/Nothing was restored, because/);
      expect(await total()).to.equal(before);
    });

    it('to a time prints which data will be lost, and changes the ETag of the lists', async () => {
      await pin();
      const [moment, wanted] = [await now(), await total()];
      await pin();
      await pin();
      const before = (await ask(machine, '/api/locations')).headers['etag'];
      const result = await playbook('restore', { to: moment, confirm: 'yes' });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.output).to.match(/Data that will be lost: 2 rows of pin\./);
      expect(await lastAuditLine()).to.match(
        /"action": "restore", "outcome": "good", .* will be restored to the state at /,
      );
      expect(await total()).to.equal(wanted);
      expect((await ask(machine, '/api/locations')).headers['etag']).not.to.equal(before);
    });

    it('to the label of a backup works', async () => {
      expect((await playbook('backup')).code).to.equal(0);
      const [{ label }, wanted] = [(await status()).backup, await total()];
      await pin();
      const result = await playbook('restore', { to: label, confirm: 'yes' });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.output).to.match(/Data that will be lost: 1 rows? of pin\./);
      expect(await total()).to.equal(wanted);
    });

    it('can be undone by one command, with all writes before it', async () => {
      await pin();
      const before = await total();
      const back = await playbook('restore', { to: (await status()).backup.label, confirm: 'yes' });
      expect(back.code, explain(back)).to.equal(0);
      expect(await total()).to.be.below(before);
      const undone = await playbook('restore', { to: 'undo', confirm: 'yes' });
      expect(undone.code, explain(undone)).to.equal(0);
      expect(undone.output).to.match(/will be restored to the state before the restore of /);
      expect(await total()).to.equal(before);
    });

    it('starts a new timeline, which is archived and passes the drill', async () => {
      await machine.must('systemctl start map-app-backup@drill');
      expect((await status()).problems).to.deep.equal([]);
      expect(await machine.must('ls /var/lib/postgresql/*/')).to.equal('main');
    });

    it('that fails in its last step keeps the current database', async () => {
      const { label } = (await status()).backup;
      await pin();
      const before = await total();
      await withSetting('map_app', 'migration_user', '"missing-user"', async () => {
        const result = await playbook('restore', { to: label, confirm: 'yes' });
        expect(result.failure?.message, explain(result)).to.match(/map-app migrate failed/);
        expect(await lastAuditLine()).to.match(
          /"action": "restore", "outcome": "failed", .*map-app migrate failed/,
        );
      });
      await eventually(60, async () => expect(await total()).to.equal(before));
      expect(await machine.must('ls /var/lib/postgresql/*/')).to.equal('main');
    });
  });

  describe('survive the loss of the machine with its disk. The machine', () => {
    /** The time of the response to each pin, in milliseconds. */
    const acknowledged: number[] = [];
    /** Files that exist only in the backup: the certificate and the ACME account. */
    const account = '/etc/letsencrypt/accounts/authority.test/directory/0123456789abcdef/private_key.json';
    const kept = `cat /etc/ssl/map-app/live/fullchain.pem ${account}`;
    const secrets = ['session-key', 'cipher-pass', 'files-key'];
    let former: { total: number; kept: string; secrets: string[]; keys: string };
    const state = () => `${sandboxes}/${machine.name}`;
    const knownHosts = join(folder, 'known_hosts');

    /** Writes until the machine is removed. */
    async function write(): Promise<void> {
      for (;;) {
        await pin();
        acknowledged.push(performance.now());
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }

    /** Rebuilds the machine with strict host key checking, as an operator does. */
    const rebuild = (extra: Record<string, unknown> = {}) =>
      playbook('rebuild', {
        ...vars,
        ansible_ssh_common_args: `-o StrictHostKeyChecking=yes -o UserKnownHostsFile=${knownHosts}`,
        ...extra,
      });

    before(
      'remove it after archive_timeout has archived the last writes, and create an empty one',
      async () => {
        await machine.must(`mkdir -p $(dirname ${account}) && date >${account}`);
        expect((await playbook('backup')).code).to.equal(0);
        former = {
          total: await total(),
          kept: await machine.must(kept),
          secrets: secrets.map((name) => readFileSync(join(state(), name), 'utf8')),
          // Not with ssh-keyscan, which opens more connections than the firewall may allow at this point.
          keys: await machine.must(`sed 's/^/${machine.address} /' /etc/ssh/ssh_host_*_key.pub`),
        };
        const { last } = (await status()).archive;
        const writer = write().catch(() => undefined);
        // PostgreSQL waits for one minute, and the transfer and the status take seconds on a busy host.
        await eventually(240, async () => expect((await status()).archive.last).not.to.equal(last));
        await new Promise((resolve) => setTimeout(resolve, 5000));
        await sandbox(machine.name, 'trixie', 'down');
        await writer;
        const { address } = machine;
        machine = await freshMachine('trixie');
        // A real machine keeps its name. This one may have a new address.
        writeFileSync(knownHosts, former.keys.replaceAll(address, machine.address));
        // In production, the vault contains these secrets.
        secrets.forEach((name, index) => writeFileSync(join(state(), name), former.secrets[index]!));
      },
    );

    it('is not rebuilt before its new host key is confirmed', async () => {
      const result = await rebuild();
      expect(result.code).not.to.equal(0);
      expect(result.failure?.message).to.match(
        /presents the host key SHA256:\S+, but .* has the key of the lost machine/s,
      );
      expect(result.changed).to.deep.equal([]);
    });

    const hostKey = async () => {
      const print = await run(['ssh-keygen', '-lf', `${state()}/root/etc/ssh/ssh_host_ed25519_key.pub`]);
      return print.output.split(' ')[1];
    };

    it('rejects certificates that were sealed with another key, and prints the fix', async () => {
      const result = await rebuild({ host_key: await hostKey(), backup_files_key: 'f'.repeat(64) });
      expect(result.code).not.to.equal(0);
      expect(result.failure?.message).to.match(
        /do not carry the seal of this site: .* -e backup_restore_certificates=false/,
      );
      await machine.must('! ls -d /etc/letsencrypt /etc/ssl/map-app');
    });

    it('is rebuilt by one command, and loses at most one minute of writes', async function () {
      const started = performance.now();
      const result = await rebuild({ host_key: await hostKey() });
      expect(result.code, explain(result)).to.equal(0);
      const restored = (await total()) - former.total;
      const seconds = (performance.now() - started) / 1000;
      expect(restored).to.be.within(1, acknowledged.length);
      const lost = (acknowledged.at(-1)! - acknowledged[restored - 1]!) / 1000;
      this.test!.title += ` (${seconds.toFixed(0)} s; ${lost.toFixed(1)} s of writes lost, ${acknowledged.length - restored} of ${acknowledged.length})`;
      expect(lost).to.be.at.most(60);
    });

    it('has its certificates and its ACME account again', async () => {
      expect(await machine.must('head -n 1 /var/log/map-app-audit.jsonl')).to.match(
        /"action": "restore", .* rebuilt/,
      );
      expect(await machine.must(kept)).to.equal(former.kept);
    });

    it('has its new host key in known_hosts instead of the old one', () => {
      const known = readFileSync(knownHosts, 'utf8');
      expect(known).to.contain(machine.address);
      const old = former.keys.split('\n').filter((line) => line.includes(' ssh-ed25519 '));
      expect(known).not.to.contain(old[0]!.split(' ')[2]);
    });

    it('is not changed by a second rebuild, and its backups continue', async () => {
      const result = await rebuild();
      expect(result.code, explain(result)).to.equal(0);
      expect(result.changed).to.deep.equal([]);
      expect((await playbook('backup')).code).to.equal(0);
      await machine.must('systemctl start map-app-backup@drill');
      expect((await status()).problems).to.deep.equal([]);
    });
  });
});
