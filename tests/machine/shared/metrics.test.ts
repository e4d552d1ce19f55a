import { connect } from 'node:net';
import { expect } from 'chai';
import { run } from '../../run/command.ts';
import {
  ask,
  converge,
  eventually,
  provisionedMachine,
  psql,
  resume,
  suspend,
  type Machine,
} from '../machine.ts';
import { taskName } from '../task-name.ts';

/** Parses metrics with Prometheus's Python library and prints one line of JSON per metric family. */
const parser = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.argv[1]):
    print(json.dumps({"name": family.name, "samples": [[s.name, s.labels, str(s.value)] for s in family.samples]}))
`;

type Family = { name: string; samples: [name: string, labels: Record<string, string>, value: string][] };

describe('The metrics of all workers', () => {
  let machine: Machine;
  const address = 'http://127.0.0.1:9464/metrics';
  const metrics = () =>
    machine.must(`python3 -c "import urllib.request as u; print(u.urlopen('${address}').read().decode())"`);
  const up = async () => (await metrics()).split('\n').filter((line) => line.startsWith('map_app_worker_up'));

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('are available on the machine, in the format of Prometheus', async () => {
    // Retried, because one worker may accept all of a few connections.
    await eventually(60, async () => {
      for (let turn = 0; turn < 20; turn += 1) await ask(machine, `/api/locations/country/${turn}`);
      const { code, output } = await run(['/usr/bin/python3', '-c', parser, await metrics()]);
      expect(code, output).to.equal(0);
      const families = output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Family);
      const names = families.map(({ name }) => name);
      expect(new Set(names).size, 'each family once').to.equal(names.length);
      const requests = families.find(({ name }) => name === 'map_app_requests')?.samples ?? [];
      const asked = requests.filter(([, { route }]) => route === '/api/locations/country/:name');
      expect(asked.map(([, { worker }]) => worker)).to.have.members(['map-app-1', 'map-app-2']);
      expect(asked.reduce((sum, [, , value]) => sum + Number(value), 0)).to.be.at.least(20);
    });
  });

  it('are not available from outside', async () => {
    expect((await ask(machine, '/metrics')).status).to.equal(404);
    const fault = await new Promise((resolve) => {
      const socket = connect(9464, machine.address, () => resolve('connected'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(fault).to.equal('ECONNREFUSED');
  });

  it('report a worker that does not respond, and stopped workers', async () => {
    await machine.must(suspend('map-app@2'));
    try {
      expect(await up()).to.deep.equal([
        'map_app_worker_up{worker="map-app-1"} 1',
        'map_app_worker_up{worker="map-app-2"} 0',
      ]);
    } finally {
      await machine.must(resume('map-app@2'));
    }
    await machine.must('systemctl stop map-app');
    try {
      expect(await up()).to.deep.equal([
        'map_app_worker_up{worker="map-app-1"} 0',
        'map_app_worker_up{worker="map-app-2"} 0',
      ]);
      expect((await machine.ssh('systemctl is-active map-app')).output.trim()).to.equal('inactive');
    } finally {
      await machine.must('systemctl start map-app');
    }
    await eventually(30, async () =>
      expect((await up()).filter((line) => line.endsWith(' 1'))).to.have.length(2),
    );
  });
});

describe("The retention of visitors' data", () => {
  let machine: Machine;
  const task = taskName(
    'Run the metrics socket, stop an outdated metrics service, and run or stop the retention timer',
  );
  const only = ['--tags', 'map_app'];
  const timer = async () =>
    (
      await machine.ssh(
        'systemctl is-enabled map-app-retention.timer; systemctl is-active map-app-retention.timer',
      )
    ).output.trim();
  const total = async () =>
    (JSON.parse((await ask(machine, '/api/locations/counts')).body) as { total_visitors: number })
      .total_visitors;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('is disabled by default', async () => {
    expect(await timer()).to.equal('disabled\ninactive');
  });

  it('deletes old data daily once map_app_retention_days is set, and the counts stay exact', async () => {
    const options = { vars: { map_app_retention_days: 3650 }, arguments: only };
    expect(await converge(machine, { ...options, arguments: [...only, '--check'] })).to.include(task);
    expect(await converge(machine, options)).to.include(task);
    expect(await timer()).to.equal('enabled\nactive');
    const before = await total();
    await psql(
      machine,
      "insert into pin (latitude, longitude, country, visited_at) select 1, 2, 'Old ' || n % 3, '2001-01-01' from generate_series(1, 1500) n",
    );
    expect(await total()).to.equal(before + 1500);
    await machine.must('systemctl start map-app-retention.service');
    expect(
      await machine.must(
        'journalctl --sync && journalctl --no-pager --output=cat --unit=map-app-retention | grep Deleted',
      ),
    ).to.match(/^Deleted \d+ pins/);
    const pins = await psql(
      machine,
      "select count(*), count(*) filter (where visited_at < '2002-01-01') from pin",
    );
    expect(pins).to.equal(`${await total()}|0`);
    expect(await converge(machine, options), 'a second run').to.deep.equal([]);
  });

  it('is disabled again when the variable is set back to 0', async () => {
    expect(await converge(machine, { arguments: only })).to.include(task);
    expect(await timer()).to.equal('disabled\ninactive');
  });
});
