import { connect } from 'node:net';
import { expect } from 'chai';
import { run } from '../run/command.ts';
import { ask, converge, provisionedMachine, psql, type Machine } from './machine.ts';

/** Prints each family of metrics as a line, as Prometheus's own library for Python reads it. */
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
  const told = () =>
    machine.must(`python3 -c "import urllib.request as u; print(u.urlopen('${address}').read().decode())"`);
  const up = async () => (await told()).split('\n').filter((line) => line.startsWith('map_app_worker_up'));

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  it('are told on the machine, in a form that Prometheus reads', async () => {
    for (let turn = 0; turn < 20; turn += 1) await ask(machine, `/api/locations/country/${turn}`);
    const { code, output } = await run(['/usr/bin/python3', '-c', parser, await told()]);
    expect(code, output).to.equal(0);
    const families = output.trim().split('\n').map((line) => JSON.parse(line) as Family); // prettier-ignore
    const names = families.map(({ name }) => name);
    expect(new Set(names).size, 'each family once').to.equal(names.length);
    const requests = families.find(({ name }) => name === 'map_app_requests')?.samples ?? [];
    const asked = requests.filter(([, { route }]) => route === '/api/locations/country/:name');
    expect(asked.map(([, { worker }]) => worker)).to.have.members(['map-app-1', 'map-app-2']);
    expect(asked.reduce((sum, [, , value]) => sum + Number(value), 0)).to.be.at.least(20);
  });

  it('are told to nobody else', async () => {
    expect((await ask(machine, '/metrics')).status).to.equal(404);
    const fault = await new Promise((resolve) => {
      const socket = connect(9464, machine.address, () => resolve('connected'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(fault).to.equal('ECONNREFUSED');
  });

  it('say which worker does not answer, and that none does once they are stopped', async () => {
    await machine.must('systemctl kill --signal=STOP map-app@2');
    try {
      expect(await up()).to.deep.equal([
        'map_app_worker_up{worker="map-app-1"} 1',
        'map_app_worker_up{worker="map-app-2"} 0',
      ]);
    } finally {
      await machine.must('systemctl kill --signal=CONT map-app@2');
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
    expect((await up()).filter((line) => line.endsWith(' 1'))).to.have.length(2);
  });
});

describe("Visitors' data is deleted once it is old", () => {
  let machine: Machine;
  const task = "Delete visitors' data every day once it is old, or never";
  const only = ['--tags', 'map_app'];
  const timer = async () =>
    (await machine.ssh('systemctl is-enabled map-app-retention.timer; systemctl is-active map-app-retention.timer')).output.trim(); // prettier-ignore
  const total = async () =>
    (JSON.parse((await ask(machine, '/api/locations/counts')).body) as { total_visitors: number }).total_visitors; // prettier-ignore

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  it('not until a number of days is set', async () => {
    expect(await timer()).to.equal('disabled\ninactive');
  });

  it('every day from then on, and the counts stay exact', async () => {
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
    expect(await machine.must('journalctl --no-pager --output=cat --unit=map-app-retention | grep Deleted')).to.match(/^Deleted \d+ pins/); // prettier-ignore
    const pins = await psql(machine, "select count(*), count(*) filter (where visited_at < '2002-01-01') from pin"); // prettier-ignore
    expect(pins).to.equal(`${await total()}|0`);
    expect(await converge(machine, options), 'a second run').to.deep.equal([]);
  });

  it('no more once it is 0 again', async () => {
    expect(await converge(machine, { arguments: only })).to.include(task);
    expect(await timer()).to.equal('disabled\ninactive');
  });
});
