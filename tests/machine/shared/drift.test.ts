import { expect } from 'chai';
import {
  converge,
  provisionedMachine,
  psqlCommand,
  restarted,
  unitStarts,
  type Machine,
} from '../machine.ts';
import { taskName } from '../task-name.ts';

/** One managed object of each kind: the command that changes it, the command that shows its state, and the tasks that restore it. */
const tampered = [
  {
    kind: 'content of a file',
    spoil: 'echo "# spoilt" >> /etc/nginx/sites-available/map-app',
    look: 'grep --count spoilt /etc/nginx/sites-available/map-app || true',
    tasks: [taskName('Configure nginx and the site')],
  },
  {
    kind: 'mode of a file',
    spoil: 'chmod 0666 /etc/map-app/credentials/SESSION_KEY',
    look: 'stat --format=%a /etc/map-app/credentials/SESSION_KEY',
    tasks: [taskName('Write the configuration and the units of the API')],
  },
  {
    kind: 'package',
    // No other package depends on it, so apt removes only this one.
    spoil: 'apt-get remove --yes --quiet needrestart',
    look: "dpkg-query --show --showformat='${db:Status-Abbrev}' needrestart",
    tasks: [taskName('Install unattended-upgrades and needrestart')],
  },
  {
    kind: 'disabled and stopped unit',
    spoil: 'systemctl disable --quiet --now nginx',
    look: 'systemctl is-enabled nginx; systemctl is-active nginx || true',
    tasks: [
      taskName('Start nginx, and check whether it read its unit and its configuration before they changed'),
    ],
  },
  {
    kind: "user's shell",
    spoil: 'usermod --shell /bin/bash map-app',
    look: 'getent passwd map-app',
    tasks: [taskName('Create the users that run the API and that own its schema')],
  },
  {
    kind: 'setting of the database',
    spoil: psqlCommand('alter role "map-app" connection limit 1 createdb'),
    look: psqlCommand('select rolconnlimit, rolcreatedb from pg_roles where rolname = $$map-app$$'),
    tasks: [taskName("Repair PostgreSQL's roles, database and settings")],
  },
  {
    kind: 'link',
    spoil: 'ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime',
    look: 'readlink /etc/localtime',
    tasks: [taskName('Configure the time zone, the kernel and the journal')],
  },
  {
    kind: 'setting of the kernel',
    spoil: 'sysctl --quiet --write net.ipv4.conf.all.accept_redirects=1',
    look: 'sysctl net.ipv4.conf.all.accept_redirects',
    tasks: [taskName('Compare the kernel parameters with the running kernel')],
  },
  {
    kind: 'unneeded service',
    spoil:
      "printf '[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/rpcbind.service && systemctl daemon-reload && systemctl enable --quiet --now rpcbind",
    look: 'systemctl is-active rpcbind; systemctl is-enabled --quiet rpcbind || true',
    tasks: [
      taskName(
        'Disable unneeded network services, and restart the journal after a change of its configuration',
      ),
    ],
  },
  {
    kind: 'packet filter',
    spoil: 'nft delete table inet map_app',
    look: 'nft --stateless --terse list table inet map_app 2>&1 || true',
    tasks: [taskName('Compare the active firewall rules with the configured ones')],
  },
  {
    kind: "mode of the socket's folder",
    spoil: 'chmod 0700 /run/map-app',
    look: 'stat --format="%a %U:%G" /run/map-app',
    tasks: [taskName('Restore the owner and mode of the socket and its folder')],
  },
  {
    kind: "file of the workers' socket",
    spoil: 'rm /run/map-app/map-app.sock',
    look: 'stat --format="%a %U:%G" /run/map-app/map-app.sock 2>&1 || true',
    tasks: [
      taskName('Check whether the file of the open socket was deleted'),
      taskName('Restart the socket'),
    ],
  },
  {
    kind: "mode of PostgreSQL's data folder, with which it would not start",
    spoil: 'chmod 0755 /var/lib/postgresql/17/main',
    look: 'stat --format=%a /var/lib/postgresql/17/main',
    tasks: [taskName('Restore the mode of the data folder')],
  },
  {
    kind: 'modes of Node',
    spoil: 'chmod 0666 /opt/node/node-*/bin/node && chmod 0700 /opt/node',
    look: 'stat --format=%a /opt/node /opt/node/node-*/bin/node',
    tasks: [taskName('Find files of Node with the wrong owner or mode')],
  },
];

describe('Drift', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  // In sequence, because concurrent ssh commands that open the shared connection print warnings.
  async function look(): Promise<string[]> {
    const seen: string[] = [];
    for (const { kind, look } of tampered) seen.push(`${kind}: ${await machine.must(look)}`);
    return seen;
  }

  it('is reported exactly and repaired by the next run', async () => {
    const before = await look();
    for (const { spoil } of tampered) await machine.must(spoil);
    const spoilt = await look();
    tampered.forEach(({ kind }, index) => expect(spoilt[index], kind).not.to.equal(before[index]));

    const changed = await converge(machine);
    expect(changed.sort()).to.deep.equal(tampered.flatMap(({ tasks }) => tasks).sort());
    expect(await look()).to.deep.equal(before);
  });

  it('is gone after that run', async () => {
    expect(await converge(machine)).to.deep.equal([]);
  });
});

const workers = ['map-app@1.service', 'map-app@2.service'];

describe('A change of one variable restarts only the units that use it', () => {
  let machine: Machine;
  // The changes accumulate, so that each run shows only one change.
  const vars: Record<string, unknown> = {};

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  const changes: { variable: string; value: unknown; units: string[] }[] = [
    // nginx sends the same CORS headers with its own errors as the API with its responses.
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

  it('all variables back to their defaults: all of these units', async () => {
    const before = await unitStarts(machine);
    await converge(machine);
    expect(restarted(before, await unitStarts(machine))).to.deep.equal(
      [...new Set(changes.flatMap(({ units }) => units))].sort(),
    );
    expect(await converge(machine)).to.deep.equal([]);
  });
});

describe('A killed run is completed by the next run', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  after('undo the changes', () => converge(machine));

  // Each case adds a variable. The killed run writes the files, and the next run restarts the units.
  const cases: { task: string; vars: Record<string, unknown>; units: string[] }[] = [
    {
      task: taskName('Write the configuration and the units of the API'),
      vars: { map_app_cors_origins: ['https://killed.example'], map_app_workers: 3 },
      units: [...workers, 'map-app@3.service', 'nginx.service'],
    },
    {
      task: taskName('Configure nginx and the site'),
      vars: {
        map_app_cors_origins: ['https://killed.example'],
        map_app_workers: 3,
        nginx_worker_connections: 4096,
      },
      units: ['nginx.service'],
    },
  ];

  for (const { task, vars, units } of cases) {
    it(`if it is killed after "${task}"`, async () => {
      const before = await unitStarts(machine);
      const killed = await machine.play({
        strategy: 'linear',
        // Only the roles of these cases, to save time.
        arguments: ['--tags', 'map_app,nginx'],
        vars,
        watch: (result, signal) => {
          if (result.name === task) signal('SIGKILL');
        },
      });
      expect(killed.code).not.to.equal(0);
      expect(killed.changed).to.include(task);
      expect(restarted(before, await unitStarts(machine)), 'no unit is restarted yet').to.deep.equal([]);

      const next = await converge(machine, { vars });
      expect(next, 'the files are already up to date').not.to.include(task);
      expect(restarted(before, await unitStarts(machine))).to.deep.equal(units);
    });
  }

  it('after which another run changes nothing', async () => {
    expect(await converge(machine, { vars: cases.at(-1)!.vars })).to.deep.equal([]);
  });
});
