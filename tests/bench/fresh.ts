import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, sandbox, untilReady, type Machine } from '../machine/machine.ts';
import { explain } from '../machine/playbook.ts';
import { run } from '../run/command.ts';
import { sandboxes } from '../run/machines.ts';
import { benchCommand } from './command.ts';

/** The largest accepted ratio of the time of site.yml to that of the script. */
const limit = 1.3;

/** A file that is older than everything that site.yml writes. */
const marker = '/root/marker';

/** Paths that packages or services write themselves, or that differ between machines. */
const excluded = `
  /proc /sys /dev /run /tmp /boot /home /root /usr/share /usr/lib /usr/sbin
  /var/tmp /var/cache /var/log /var/backups /var/lib/apt /var/lib/dpkg /var/lib/systemd /var/lib/postgresql /var/lib/pgbackrest
  /etc/passwd* /etc/shadow* /etc/group* /etc/gshadow* /etc/subuid* /etc/subgid* /etc/ld.so.cache /etc/mtab /etc/resolv.conf`
  .trim()
  .split(/\s+/);

const help = `Usage: npm run bench:fresh [-- --report]

Compares the first run of site.yml on a fresh machine with a bare shell script that has the same result. Provisions a throwaway machine, and
records the packages that site.yml has installed and the files that it has written. Then the script installs these packages and unpacks these files on
a second fresh machine, creates the users and the database, migrates it and starts the services, over one ssh connection. Both end when /readyz
returns 200 over https. Prints both times and their ratio. Takes 6 minutes on an otherwise idle host with two processors, and needs root.

  --report   also exit with 0 if the ratio is above ${limit}
  --help     print this help

Environment variable:
  SANDBOX=<name>   the start of the machines' names (default: map-app-bench)

Exit status: 0 if the ratio is at most ${limit}, 1 if it is above or no machine can run, 2 for invalid arguments.
`;

/** The files and packages of a machine that site.yml has configured, and the shell script that installs them on a fresh one. */
type Recipe = { script: string; archive: string };

process.exitCode = await benchCommand(process.argv.slice(2), help, 'report', async (reportOnly) => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-fresh-'));
  try {
    const ratio = await compare(folder);
    return ratio <= limit || reportOnly ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Measures site.yml, then the shell script. @returns the ratio of their times */
async function compare(folder: string): Promise<number> {
  const name = process.env['SANDBOX'] ?? 'map-app-bench';
  const say = (text: string) => process.stdout.write(`${text}\n`);
  // Before the measurement, because the script does not build the release.
  const build = await run(['scripts/build']);
  if (build.code !== 0) throw new Error(build.output);

  const { seconds: ours, recipe } = await onFreshMachine(`${name}-playbook`, async (machine) => {
    await machine.must(`touch ${marker}`);
    const before = await inventoryOf(machine);
    const seconds = await timed(async () => {
      const result = await machine.play({ strategy: 'linear' });
      if (result.code !== 0) throw new Error(explain(result));
      await untilReady(machine, 60);
    });
    return { seconds, recipe: await recipeOf(machine, before, folder) };
  });
  say(`site.yml:     ${ours.toFixed(1)} s`);
  const theirs = await onFreshMachine(`${name}-script`, (machine) =>
    timed(async () => {
      await install(machine, recipe);
      await untilReady(machine, 60);
    }),
  );
  say(`shell script: ${theirs.toFixed(1)} s`);
  const ratio = ours / theirs;
  say(`ratio:        ${ratio.toFixed(2)}${ratio > limit ? `, above the limit of ${limit}` : ''}`);
  return ratio;
}

async function onFreshMachine<T>(name: string, use: (machine: Machine) => Promise<T>): Promise<T> {
  await sandbox(name, 'trixie', 'down');
  await sandbox(name, 'trixie', 'create');
  try {
    return await use(connect('trixie', name));
  } finally {
    await sandbox(name, 'trixie', 'down');
  }
}

async function timed(action: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await action();
  return (performance.now() - started) / 1000;
}

/** The packages, users, groups and active units of a machine, one per line. */
type Inventory = Record<'packages' | 'users' | 'groups' | 'units', string[]>;

async function inventoryOf(machine: Machine): Promise<Inventory> {
  const lines = async (command: string) => (await machine.must(command)).split('\n').filter(Boolean);
  return {
    packages: await lines("dpkg-query --show --showformat='${Package}\\n'"),
    users: await lines('getent passwd'),
    groups: await lines('getent group'),
    units: await lines(
      'systemctl list-units --plain --no-legend --state=active --type=service,socket,timer | cut --delimiter=" " --fields=1',
    ),
  };
}

/** Returns the script that brings a fresh machine to the state of this one. Writes the archive of the files to `folder`. */
async function recipeOf(machine: Machine, before: Inventory, folder: string): Promise<Recipe> {
  const now = await inventoryOf(machine);
  const added = (what: keyof Inventory) => now[what].filter((line) => !before[what].includes(line));
  const skipped = excluded.map((path) => `-path '${path}'`).join(' -o ');
  await machine.must(`cd /root
    find / -xdev \\( ${skipped} \\) -prune -o -cnewer ${marker} ! -type s -print | sort > written
    # The script installs all other files with the packages.
    cat /var/lib/dpkg/info/*.list | grep --invert-match '^/etc/' | sort --unique > packaged
    comm -23 written packaged | grep --invert-match '^/usr/.*/__pycache__' > own
    tar --create --file=files.tar --no-recursion --files-from=own --absolute-names`);
  const archive = join(folder, 'files.tar');
  const copied = await run(['cp', `${sandboxes}/${machine.name}/root/root/files.tar`, archive]);
  if (copied.code !== 0) throw new Error(copied.output);
  return { archive, script: script(added('packages'), added('users'), added('groups'), added('units')) };
}

/** Returns the shell script. It reads the archive from its input. */
function script(packages: string[], users: string[], groups: string[], units: string[]): string {
  // The packages have already created some of the users.
  const addUsers = users
    .map((line) => line.split(':') as [string, ...string[]])
    .map(
      ([name, , , , , home, shell]) =>
        `id ${name} >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir ${home} --shell ${shell} ${name}`,
    );
  const addMembers = groups
    .map((line) => line.split(':'))
    .flatMap(([name, , , members]) =>
      (members ?? '')
        .split(',')
        .filter(Boolean)
        .map((member) => `usermod --append --groups ${name} ${member}`),
    );
  return `set -eu
export DEBIAN_FRONTEND=noninteractive
cat >/root/files.tar
apt-get -qq update
# Before the package, which creates the cluster with this configuration.
tar --extract --absolute-names --file=/root/files.tar --wildcards '/etc/postgresql-common/*'
apt-get -qq --yes --no-install-recommends install ${packages.join(' ')} >/dev/null
${[...addUsers, ...addMembers].join('\n')}
tar --extract --absolute-names --file=/root/files.tar
rm --force /etc/nginx/sites-enabled/default
systemctl daemon-reload
systemctl restart 'postgresql@*-main'
cd /
runuser -u postgres -- psql --quiet <<'END'
create role "map-app-migrate" login;
create role "map-app" login;
create database "map-app" owner "map-app-migrate" template template0 encoding 'UTF8' locale 'C.UTF-8';
END
map-app migrate
systemctl restart ${units.filter((unit) => !/^(user|session|systemd-|map-app-metrics.service|postgresql)/.test(unit)).join(' ')}
`;
}

/** Runs the script on a machine, over one connection. */
async function install(machine: Machine, { script, archive }: Recipe): Promise<void> {
  const folder = `${sandboxes}/${machine.name}`;
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const quoted = `'${script.replaceAll("'", "'\\''")}'`;
  const ssh = [
    'ssh',
    '-i',
    `${folder}/key`,
    ...options.flatMap((option) => ['-o', option]),
    `root@${machine.address}`,
  ];
  const { code, output } = await run([
    'sh',
    '-c',
    `exec "$@" <'${archive}'`,
    'sh',
    ...ssh,
    `bash -c ${quoted}`,
  ]);
  if (code !== 0) throw new Error(`The shell script exited with status ${code}:\n${output}`);
}
