import { expect } from 'chai';
import { runLoad, type LoadReport } from '../load.ts';
import { converge, domain, provisionedMachine, psql, type Machine } from './machine.ts';

const times = 5;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('Under 16 constant connections of reads and 4 of writes nothing is lost', () => {
  let machine: Machine;

  const nginx = { arguments: ['--tags', 'nginx'] };

  before('provision it, for more writes than one address may send', async () => {
    machine = await provisionedMachine();
    await converge(machine, { ...nginx, vars: { nginx_writes_per_minute: 10_000_000 } });
  });

  after('limit writes again', () => converge(machine, nginx));

  const pins = async () => Number(await psql(machine, 'select count(*) from pin'));

  /** Load from before the first disturbance until after the last. */
  async function whileLoaded(disturb: () => Promise<unknown>): Promise<LoadReport> {
    const before = await pins();
    const end = new AbortController();
    const load = runLoad({
      address: machine.address,
      domain,
      readers: 16,
      writers: 4,
      seconds: 120,
      until: end.signal,
    });
    try {
      await pause(1000);
      await disturb();
      await pause(1000);
    } finally {
      end.abort();
    }
    const report = await load;
    const rows = (await pins()) - before;
    print(report, rows);
    expect(report.failures).to.deep.equal({});
    expect(rows, 'rows against acknowledged inserts').to.equal(report.acknowledgedWrites);
    expect(report.acknowledgedWrites).to.be.above(100);
    return report;
  }

  function print(report: LoadReport, rows: number) {
    process.stdout.write(
      `     ${report.reads} reads (${report.failedReads} failed), ${report.acknowledgedWrites} inserts acknowledged ` +
        `(${report.failedWrites} failed, ${rows} rows), p99 ${report.p99} ms, slowest ${report.slowest} ms\n`,
    );
  }

  const repeat = (command: string) => async () => {
    for (let turn = 0; turn < times; turn += 1) await machine.must(command);
  };

  it(`while systemctl reload map-app runs ${times} times`, () =>
    whileLoaded(repeat('systemctl reload map-app')));

  it(`while systemctl restart map-app runs ${times} times`, () =>
    whileLoaded(repeat('systemctl restart map-app')));

  it(`while a worker is killed ${times} times`, () =>
    whileLoaded(repeat('systemctl kill --signal=KILL map-app@1 && sleep 1')));
});
