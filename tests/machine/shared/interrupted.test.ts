import { cpSync, globSync } from 'node:fs';
import { expect } from 'chai';
import { root } from '../../run/command.ts';
import { sandboxes } from '../../run/machines.ts';
import { print } from '../../run/output.ts';
import { ask, converge, eventually, provisionedMachine, psql, untilReady, type Machine } from '../machine.ts';
import { makeVariant } from '../variant.ts';

// To interrupt before each program that the commands start, which takes 40 minutes:
//   INTERRUPT=all TEST_MINUTES=120 scripts/test machine tests/machine/shared/interrupted.test.ts
const everywhere = process.env['INTERRUPT'] === 'all';

const ways = ['kill', 'power-failure'] as const;
type Way = (typeof ways)[number];

describe('An interruption', () => {
  let machine: Machine;

  before('provision the machine, and write a row that must not get lost', async () => {
    machine = await provisionedMachine();
    copyToMachine(`${root}tests/machine/interrupt.py`, 'interrupt.py');
    const { status, body } = await ask(machine, '/api/locations', { body: { lat: 39.7, long: -105 } });
    expect(status, body).to.equal(200);
  });

  const copyToMachine = (file: string, name: string) =>
    cpSync(file, `${sandboxes}/${machine.name}/root/root/${name}`);

  const clusters = '/var/lib/postgresql/17';
  const problems = async () =>
    (JSON.parse((await machine.ssh('map-app backups status')).output) as { problems: string[] }).problems;
  const pins = () => psql(machine, 'select count(*) from pin');
  const current = async () => (await machine.must('readlink /opt/map-app/current')).replace('releases/', '');
  const commandSucceeds = (command: string) => machine.must(`map-app ${command}`);
  const siteRunSucceeds = () => converge(machine, { arguments: ['--tags', 'postgresql,backup,map_app'] });

  /**
   * Interrupts a command before the program that it starts as number `number`.
   * @returns that program; undefined if the command starts fewer
   */
  async function interrupt(command: string, number: number, way: Way): Promise<string | undefined> {
    const { code, output } = await machine.ssh(`python3 /root/interrupt.py ${number} ${way} ${command}`);
    if (code === 0) return undefined;
    if (way === 'power-failure')
      await eventually(180, () => machine.must('systemctl is-system-running --wait || true'));
    const { code: found, output: program } = await machine.ssh('cat /root/interrupted');
    expect(found, `map-app ${command} ended with ${code}: ${output}`).to.equal(0);
    return program.trim();
  }

  /** Interrupts a command before each of its programs, or before those in `numbers`, alternately in both ways. */
  async function interruptEach(
    numbers: number[],
    round: (number: number, way: Way, done: number) => Promise<string | undefined>,
  ) {
    const all = function* () {
      for (let number = 1; ; number += 1) yield number;
    };
    let done = 0;
    for (const number of everywhere ? all() : numbers) {
      const way = ways[done % ways.length]!;
      const program = await round(number, way, done);
      if (program === undefined) break;
      done += 1;
      print(`     ${way} before program ${number}: ${program.slice(0, 100)}\n`);
    }
    expect(done, 'interruptions').to.be.at.least(numbers.length);
  }

  /** The state after the next run: all data, the service, intact backups, and nothing left of the interrupted command. */
  async function expectSound(rows: string) {
    await untilReady(machine, 120);
    expect(await pins()).to.equal(rows);
    expect(await problems()).to.deep.equal([]);
    expect(await machine.must(`ls ${clusters}`)).to.equal('main');
    expect(await machine.must(`find ${clusters}/main -maxdepth 1 -name 'map-app-*'`)).to.equal('');
    expect(await machine.must('systemctl list-units --failed --plain --no-legend')).to.equal('');
  }

  it('of a backup does not prevent the next one', async function () {
    if (everywhere) this.timeout(0);
    const rows = await pins();
    await interruptEach([4, 8], async (number, way) => {
      const program = await interrupt('backup', number, way);
      await commandSucceeds('backup');
      await expectSound(rows);
      return program;
    });
  });

  it('of a restore loses no data, and the next restore or run of site.yml completes or undoes it', async function () {
    if (everywhere) this.timeout(0);
    const rows = await pins();
    await interruptEach([12, 32, 34], async (number, way, done) => {
      const program = await interrupt('restore latest --yes', number, way);
      const { code: found } = await machine.ssh(`test -e ${clusters}/map-app-restored`);
      if (found === 0)
        expect((await problems()).join()).to.match(/A restore .* was interrupted\. .* run site\.yml/);
      await (done % 4 < 2 ? commandSucceeds('restore latest --yes') : siteRunSucceeds());
      await expectSound(rows);
      return program;
    });
  });

  it('of a deploy leaves the site running, and the next deploy succeeds', async function () {
    if (everywhere) this.timeout(0);
    await interruptEach([12, 24], async (number, way) => {
      const { version, dist } = await makeVariant();
      copyToMachine(globSync(`${dist}/*.tar.gz`)[0]!, 'release.tar.gz');
      const program = await interrupt('deploy /root/release.tar.gz', number, way);
      await untilReady(machine, 120);
      await commandSucceeds('deploy /root/release.tar.gz');
      expect(await current()).to.equal(version);
      await expectSound(await pins());
      return program;
    });
  });

  it('of a rollback leaves the site running, and the same rollback then succeeds', async function () {
    if (everywhere) this.timeout(0);
    await interruptEach([12, 24], async (number, way) => {
      const { releases } = JSON.parse(await machine.must('map-app releases --json')) as {
        releases: { version: string; state: string; current: boolean }[];
      };
      const { version } = releases.find((one) => !one.current && one.state !== 'bad')!;
      const program = await interrupt(`rollback ${version}`, number, way);
      await untilReady(machine, 120);
      await commandSucceeds(`rollback ${version}`);
      expect(await current()).to.equal(version);
      await expectSound(await pins());
      return program;
    });
  });
});
