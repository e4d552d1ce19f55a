import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { root, type Ended } from '../../run/command.ts';
import { eventually, provisionedMachine, psql, type Machine } from '../machine.ts';

/** A folder that attacks must not change. */
const canary = '/srv/canary';
/** The prefix of the files that attacks create if they succeed. */
const taken = '/var/lib/postgresql/taken';

/** A function that creates a file if the superuser calls it. */
const spring = (name: string, parameters: string, returns: string, value: string) => `
  create function public.${name}(${parameters}) returns ${returns} language plpgsql as $spring$
  begin
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
      copy (select 1) to program 'touch ${taken}-${name}';
    end if;
    return ${value};
  end $spring$;`;

describe('On a partly compromised machine', () => {
  let machine: Machine;
  before('provision the machine, and create files that must stay unchanged', async () => {
    machine = await provisionedMachine();
    await machine.must(
      `install -d -m 0755 ${canary} && echo kept >${canary}/file && chmod 600 ${canary}/file`,
    );
    const attacker = readFileSync(`${root}tests/machine/attacker.py`, 'utf8');
    await psql(machine, 'drop table if exists public.taken');
    await machine.must(`cat >${canary}/attacker.py <<'END'\n${attacker}\nEND`);
  });
  after('clean up', () =>
    machine.must(
      `rm -rf ${canary} ${taken}-* /var/lib/postgresql/*/*.link /var/lib/postgresql/*/main/*.link`,
    ),
  );

  /** Runs SQL in the database as an operating system user. */
  const sqlAs = (user: string, sql: string): Promise<Ended> =>
    machine.ssh(
      `cd / && echo ${Buffer.from(sql).toString('base64')} | base64 -d | runuser -u ${user} -- psql --no-psqlrc -qAt --dbname=map-app -v ON_ERROR_STOP=1`,
    );
  /** Waits until a session executes a statement with this start, or has executed it last. */
  const untilRuns = (statement: string) =>
    eventually(60, async () =>
      expect(
        await psql(machine, `select count(*) from pg_stat_activity where query like '${statement}%'`),
      ).to.equal('1'),
    );
  const endSleep = () =>
    psql(
      machine,
      "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'",
    );
  /** Expects SQL to fail with "permission denied". */
  const denied = async (user: string, sql: string) => {
    const { code, output } = await sqlAs(user, sql);
    expect(output).to.contain('permission denied');
    expect(code).not.to.equal(0);
  };

  describe('a compromised worker', () => {
    const trap = (country: string) =>
      `create temporary table trap (country ${country}, state text, city text);
       create trigger trap after insert on trap referencing new table as added for each statement execute function public.pin_tally_follow();`;

    it("cannot become the schema's owner through a trigger function", async () => {
      await denied(
        'map-app',
        `create type pg_temp.bait as (text text);
         create function pg_temp.bite(pg_temp.bait) returns text language plpgsql as $$ begin create table public.taken (); return 'x'; end $$;
         create cast (pg_temp.bait as text) with function pg_temp.bite(pg_temp.bait) as assignment;
         ${trap('pg_temp.bait')}
         insert into trap values (row('x'), null, null);`,
      );
      expect(await psql(machine, "select to_regclass('public.taken') is null")).to.equal('t');
    });

    it('cannot falsify or empty the tallies', async () => {
      const tallies = () => psql(machine, 'select coalesce(sum(total), 0) from pin_tally');
      const before = await tallies();
      await denied('map-app', `${trap('text')} insert into trap values ('Nowhere', null, null);`);
      await denied(
        'map-app',
        'create temporary table trap (); create trigger trap after truncate on trap for each statement execute function public.pin_tally_follow(); truncate trap',
      );
      expect(await tallies()).to.equal(before);
    });

    it('cannot create objects, or do anything but read and write rows', async () => {
      for (const sql of [
        'create temporary table mine ()',
        'create table public.mine ()',
        'truncate pin',
        'delete from schema_migration',
        'update revision set number = 1',
        "select pg_read_file('/etc/passwd')",
        "copy pin to program 'true'",
        'set role "map-app-migrate"',
      ])
        await denied('map-app', sql);
    });

    it('cannot block a backup with an open transaction or a locked table', async () => {
      const begin = 'begin; lock table pin in row exclusive mode;';
      await machine.must(
        `systemd-run --quiet --unit=idle --uid=map-app -- sh -c "(echo '${begin}'; sleep infinity) | psql --no-psqlrc -q --dbname=map-app"`,
      );
      const locks = sqlAs(
        'map-app',
        'begin; lock table donation_visit in access exclusive mode; select pg_sleep(120)',
      );
      await untilRuns('lock table pin');
      await untilRuns('select pg_sleep');
      const { code, output } = await machine.ssh('map-app backup');
      await machine.must('systemctl stop idle');
      expect(code, output).to.equal(0);
      expect(
        output.match(/^Ended session \d+ of map-app, whose transaction was open for more than 30 s/gm),
      ).to.have.length.at.least(2);
      await locks;
    });

    it('cannot block a migration', async () => {
      const holder = sqlAs('map-app', 'select pg_advisory_lock(7021004); select pg_sleep(120)');
      await untilRuns('select pg_sleep');
      const { code, output } = await machine.ssh('timeout 60 map-app migrate');
      await endSleep();
      expect(code, output).to.equal(0);
      await holder;
    });

    it('cannot forge a line of the audit log', async () => {
      await machine.must("runuser -u map-app -- logger -t map-app-audit 'forged' && journalctl --sync");
      expect(await machine.must('journalctl -t map-app-audit --output=cat | tail -n 1')).to.contain('forged');
      expect(
        await machine.must('journalctl -t map-app-audit _UID=0 --output=cat | tail -n 1'),
      ).not.to.contain('forged');
    });
  });

  describe('a compromised schema owner', () => {
    after('drop its objects', () =>
      psql(
        machine,
        `drop cast if exists (public.pin as text); alter table public.count drop constraint if exists spring;
         drop function if exists public.hashtextextended(text, integer), public.format(text, text, name, name), public.row_text(public.pin), public.check_spring(text);`,
      ),
    );

    it('cannot run code as the superuser during a backup or a drill, and cannot block them', async () => {
      const set = await sqlAs(
        'map-app-migrate',
        `${spring('hashtextextended', '$1 text, $2 integer'.replaceAll(/\$\d /g, ''), 'bigint', '1')}
         ${spring('format', 'text, text, name, name', 'text', "'SELECT NULL, 0, NULL WHERE false'")}
         ${spring('row_text', 'public.pin', 'text', "'x'")}
         create cast (public.pin as text) with function public.row_text(public.pin) as implicit;
         ${spring('check_spring', 'text', 'boolean', 'true')}
         alter table public.count add constraint spring check (public.check_spring(name));`,
      );
      expect(set.code, set.output).to.equal(0);
      const holder = sqlAs('map-app-migrate', 'create temporary table mine (); select pg_sleep(60)');
      await untilRuns('select pg_sleep');
      const backup = await machine.ssh('map-app backup');
      const drill = await machine.ssh('map-app drill');
      expect(await machine.must(`ls ${taken}-* 2>/dev/null || true`)).to.equal('');
      expect(backup.code, backup.output).to.equal(0);
      expect(drill.code, drill.output).to.equal(0);
      await endSleep();
      await holder;
    });
  });

  describe('a compromised postgres', () => {
    const data = '/var/lib/postgresql/17';
    /** Starts the attacker as postgres, runs a command as root meanwhile, and returns both results. */
    const attack = async (words: string, command: string) => {
      const attacker = machine.ssh(`cd / && runuser -u postgres -- python3 ${canary}/attacker.py ${words}`);
      const ended = await machine.ssh(`sleep 1; ${command}`);
      return { ended, found: JSON.parse((await attacker).output) as Record<string, number> };
    };

    it("cannot redirect root's file operations to other paths", async () => {
      const folders = [
        `${data}/main/map-app-backup`,
        `${data}/map-app-drill`,
        `${data}/map-app-drill-socket`,
      ];
      const { ended, found } = await attack(
        `swap 25 ${canary} ${folders.join(' ')}`,
        'map-app backup; map-app drill',
      );
      expect(found['swapped']).to.be.at.least(1);
      const { output } = await machine.ssh(`stat -c '%U %a' ${canary} ${canary}/file; ls ${canary}`);
      expect(output.trim(), ended.output).to.equal('root 755\nroot 600\nattacker.py\nfile');
    });

    it('cannot read a key from a backup in progress, and a file that it tampers with makes the drill and the rebuild fail', async () => {
      const { ended, found } = await attack(`spoil 20 ${data}/main/map-app-backup`, 'map-app backup');
      expect(ended.code, ended.output).to.equal(0);
      expect(found).to.deep.equal({ spoiled: 1, keys: 0 });
      const label = (await machine.must('map-app backups | tail -n 1')).split(' ')[0];
      for (const command of [`backups certificates ${label}`, 'drill']) {
        const { code, output } = await machine.ssh(`map-app ${command}`);
        expect(code).to.equal(1);
        expect(output).to.match(
          /^map-app (backups|drill): The certificates in the backup do not carry the seal of this site: .*\n$/,
        );
      }
      // Leaves a valid backup for later tests.
      await machine.must('map-app backup && map-app drill');
    });

    it('cannot replace a folder that the playbooks write to', async () => {
      for (const path of ['/etc/postgresql', '/etc/postgresql/17/main', '/etc/postgresql/17/main/conf.d']) {
        const { code } = await machine.ssh(`cd / && runuser -u postgres -- test -w ${path}`);
        expect(code, path).not.to.equal(0);
      }
    });
  });

  /** Paths that each user can write, in addition to those that every user can write. */
  const writable: Record<string, RegExp> = {
    'map-app': /^\/run\/map-app-\d+(\/worker\.sock)?$/,
    'map-app-migrate': /^$/,
    'www-data':
      /^\/(run\/map-app\/map-app\.sock|var\/lib\/nginx\/\w+|var\/log\/nginx\/\w+\.log(\.\d+(\.gz)?)?)$/,
    postgres:
      /^\/(var\/lib\/postgresql|var\/lib\/pgbackrest|run\/postgresql|var\/log\/postgresql|var\/log\/pgbackrest|var\/spool\/pgbackrest|etc\/pgbackrest\.conf|etc\/pgbackrest\/repository\.key)(\/|$)/,
  };
  describe('the user', () => {
    for (const [user, allowed] of Object.entries(writable))
      it(`${user} can write only its own files, and cannot read secrets`, async () => {
        const found = await machine.must(
          `cd / && runuser -u ${user} -- find / '(' -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp ')' -prune -o -writable ! -type l -print 2>/dev/null; true`,
        );
        const common =
          /^\/(run\/lock|run\/systemd\/|run\/dbus\/|run\/user|var\/lock|run\/nscd|run\/shm|run\/postgresql\/\.s\.|srv\/probe|run\/rpcbind|run\/ssh-unix-local\/socket$)/;
        expect(
          found.split('\n').filter((path) => path && !common.test(path) && !allowed.test(path)),
        ).to.deep.equal([]);
        const secrets = await machine.must(
          `cd / && for path in /etc/letsencrypt /etc/ssl/map-app/live/privkey.pem /etc/map-app/credentials /etc/map-app-backup.key /etc/shadow /var/lib/map-app-backup/files; do runuser -u ${user} -- test -r $path && echo $path; done; true`,
        );
        expect(secrets.split('\n').filter((path) => path && path !== '/etc/letsencrypt')).to.deep.equal([]);
      });
  });
});
