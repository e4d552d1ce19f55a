import { expect } from 'chai';
import { converge, provisionedMachine, psqlCommand, restarted, unitStarts, type Machine } from './machine.ts';

/** One of each kind of managed thing: how it is spoilt, how it is when mended, and the tasks that say so. */
const tampered = [
  {
    kind: 'content of a file',
    spoil: 'echo "# spoilt" >> /etc/nginx/sites-available/map-app',
    look: 'grep --count spoilt /etc/nginx/sites-available/map-app || true',
    tasks: ['Configure the site'],
  },
  {
    kind: 'mode of a file',
    spoil: 'chmod 0666 /etc/map-app/credentials/SESSION_KEY',
    look: 'stat --format=%a /etc/map-app/credentials/SESSION_KEY',
    tasks: ['Write the credentials of the API'],
  },
  {
    kind: 'package',
    // One that nothing else needs, so that it goes alone.
    spoil: 'apt-get remove --yes --quiet needrestart',
    look: "dpkg-query --show --showformat='${db:Status-Abbrev}' needrestart",
    tasks: ['Install what upgrades by itself'],
  },
  {
    kind: 'unit that was disabled and stopped',
    spoil: 'systemctl disable --quiet --now nginx',
    look: 'systemctl is-enabled nginx; systemctl is-active nginx || true',
    tasks: ['Run nginx'],
  },
  {
    kind: "user's shell",
    spoil: 'usermod --shell /bin/bash map-app',
    look: 'getent passwd map-app',
    tasks: ['Create the users that run the API and that own its schema'],
  },
  {
    kind: 'setting of the database',
    spoil: psqlCommand('alter role "map-app" connection limit 1 createdb'),
    look: psqlCommand('select rolconnlimit, rolcreatedb from pg_roles where rolname = $$map-app$$'),
    tasks: ["Mend PostgreSQL's roles, database and settings"],
  },
  {
    kind: 'link',
    spoil: 'ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime',
    look: 'readlink /etc/localtime',
    tasks: ['Set the time zone'],
  },
  {
    kind: 'setting of the kernel',
    spoil: 'sysctl --quiet --write net.ipv4.conf.all.accept_redirects=1',
    look: 'sysctl net.ipv4.conf.all.accept_redirects',
    tasks: ['Find out which of them the kernel does not have'],
  },
  {
    kind: 'service that nobody needs',
    spoil:
      "printf '[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/rpcbind.service && systemctl daemon-reload && systemctl enable --quiet --now rpcbind",
    look: 'systemctl is-active rpcbind; systemctl is-enabled --quiet rpcbind || true',
    tasks: ['Switch off services that listen without need'],
  },
  {
    kind: 'packet filter',
    spoil: 'nft delete table inet map_app',
    look: 'nft --stateless --terse list table inet map_app 2>&1 || true',
    tasks: ['Find out whether other rules are in force'],
  },
  {
    kind: "mode of the socket's folder",
    spoil: 'chmod 0700 /run/map-app',
    look: 'stat --format="%a %U:%G" /run/map-app',
    tasks: ['Restore the owner and mode of the socket and its folder'],
  },
  {
    kind: "file of the workers' socket",
    spoil: 'rm /run/map-app/map-app.sock',
    look: 'stat --format="%a %U:%G" /run/map-app/map-app.sock 2>&1 || true',
    tasks: ['Check whether the file of the open socket was deleted', 'Open the socket anew'],
  },
  {
    kind: "mode of PostgreSQL's data, which it would refuse to start with",
    spoil: 'chmod 0755 /var/lib/postgresql/17/main',
    look: 'stat --format=%a /var/lib/postgresql/17/main',
    tasks: ['Restore the mode of the data folder'],
  },
  {
    kind: 'modes of Node',
    spoil: 'chmod 0666 /opt/node/node-*/bin/node && chmod 0700 /opt/node',
    look: 'stat --format=%a /opt/node /opt/node/node-*/bin/node',
    tasks: ['Find files of Node with the wrong owner or mode'],
  },
];

describe('What was tampered with', () => {
  let machine: Machine;

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  // One after the other: several that open a shared connection at once complain of each other.
  async function look(): Promise<string[]> {
    const seen: string[] = [];
    for (const { kind, look } of tampered) seen.push(`${kind}: ${await machine.must(look)}`);
    return seen;
  }

  it('is named by the next run, exactly, and mended', async () => {
    const before = await look();
    for (const { spoil } of tampered) await machine.must(spoil);
    const spoilt = await look();
    tampered.forEach(({ kind }, index) => expect(spoilt[index], kind).not.to.equal(before[index]));

    const changed = await converge(machine);
    expect(changed.sort()).to.deep.equal(tampered.flatMap(({ tasks }) => tasks).sort());
    expect(await look()).to.deep.equal(before);
  });

  it('is left alone by the run after', async () => {
    expect(await converge(machine)).to.deep.equal([]);
  });
});

const workers = ['map-app@1.service', 'map-app@2.service'];

describe('Changing one variable restarts exactly the units that read it', () => {
  let machine: Machine;
  // Each change is kept by those after it, so that a run shows one change alone.
  const vars: Record<string, unknown> = {};

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  const changes: { variable: string; value: unknown; units: string[] }[] = [
    // nginx's own errors tell browsers the same as the API's answers.
    {
      variable: 'map_app_cors_origins',
      value: ['https://kiosk.example'],
      units: [...workers, 'nginx.service'],
    },
    { variable: 'nginx_worker_connections', value: 4096, units: ['nginx.service'] },
    {
      variable: 'postgresql_listen_addresses',
      value: '127.0.0.1',
      units: ['postgresql@17-main.service', 'settings of PostgreSQL'],
    },
    { variable: 'firewall_ssh_rate', value: 60, units: [] },
    { variable: 'base_time_zone', value: 'America/Los_Angeles', units: [] },
  ];

  for (const { variable, value, units } of changes) {
    it(`${variable}: ${units.join(', ') || 'none'}`, async () => {
      vars[variable] = value;
      const before = await unitStarts(machine);
      expect(await converge(machine, { vars })).to.have.length.above(0);
      expect(restarted(before, await unitStarts(machine))).to.deep.equal(units);
    });
  }

  it('all of them back: all of those units', async () => {
    const before = await unitStarts(machine);
    await converge(machine);
    expect(restarted(before, await unitStarts(machine))).to.deep.equal(
      [...new Set(changes.flatMap(({ units }) => units))].sort(),
    );
    expect(await converge(machine)).to.deep.equal([]);
  });
});

describe('A run killed half-way is completed by the next', () => {
  let machine: Machine;

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  after('undo the changes', () => converge(machine));

  // Each adds a variable: the file is written by the killed run, and the unit restarted by the next.
  const cases: { task: string; vars: Record<string, unknown>; units: string[] }[] = [
    {
      task: 'Write the environment of the API',
      vars: { map_app_cors_origins: ['https://killed.example'] },
      units: [...workers, 'nginx.service'],
    },
    {
      task: 'Configure nginx',
      vars: { map_app_cors_origins: ['https://killed.example'], nginx_worker_connections: 4096 },
      units: ['nginx.service'],
    },
    {
      task: 'Install the units',
      vars: {
        map_app_cors_origins: ['https://killed.example'],
        nginx_worker_connections: 4096,
        map_app_workers: 3,
      },
      units: ['map-app@3.service'],
    },
  ];

  for (const { task, vars, units } of cases) {
    it(`right after "${task}"`, async () => {
      const before = await unitStarts(machine);
      const killed = await machine.play({
        strategy: 'linear',
        // The roles of all cases; the rest of site.yml only takes time.
        arguments: ['--tags', 'map_app,nginx'],
        vars,
        watch: (result, signal) => {
          if (result.name === task) signal('SIGKILL');
        },
      });
      expect(killed.code).not.to.equal(0);
      expect(killed.changed).to.include(task);
      expect(restarted(before, await unitStarts(machine)), 'nothing is restarted yet').to.deep.equal([]);

      const next = await converge(machine, { vars });
      expect(next, 'the file is right already').not.to.include(task);
      expect(restarted(before, await unitStarts(machine))).to.deep.equal(units);
    });
  }

  it('and leaves nothing to the one after', async () => {
    expect(await converge(machine, { vars: cases.at(-1)!.vars })).to.deep.equal([]);
  });
});
