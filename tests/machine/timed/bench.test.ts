import { expect } from 'chai';
import { measure, type Figure } from '../../bench/figures.ts';
import { clear, prepare } from '../../bench/setting.ts';
import { slowdowns, tableOf } from '../../bench/table.ts';
import { provisionedMachine, type Machine } from '../machine.ts';

describe('The benchmark', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });
  after(() => clear(machine));

  it('measures reads and inserts with their baselines', async () => {
    await prepare(machine);
    const figures: Figure[] = [];
    const plan = { pins: [100], reads: ['counts'], seconds: 1, rounds: 1 };
    const remark = await measure(machine, 100, plan, (figure) => figures.push(figure));
    expect(remark).to.match(/^A kiosk's start with 100 pins: \d+ KB on the wire/);
    for (const { what, sample } of figures) expect(sample.perSecond, what).to.be.above(1);
    expect(
      tableOf(figures)
        .split('\n')
        .map((line) => line.split(/  +/)[0] || line.trim().split(/  +/)[0]),
    ).to.include.members([
      'counts, 200',
      'counts, 304',
      'geocoder',
      'one item, not cached',
      'insert',
      'its statement by pgbench',
    ]);
  });
});

describe("The benchmark's table", () => {
  it('marks results below their target', () => {
    const figure = (pins: number, ofBare: number): Figure => ({
      what: 'counts, 200',
      pins,
      sample: { perSecond: 1, p99: 1, failed: 0 },
      ofBare,
      expected: { text: '0.45 of bare Node', isMet: ofBare >= 0.45 },
    });
    const figures = [figure(10, 0.6), figure(1_000, 0.4)];
    const [, first, second] = tableOf(figures).split('\n');
    expect(first).to.match(/ok$/);
    expect(second).to.match(/MISSED$/);
    expect(slowdowns(figures)).to.have.length(1);
    expect(slowdowns(figures)[0]).to.match(/^counts, 200: 1.50 times slower .* MISSED\.$/);
    expect(slowdowns([figure(10, 0.6), figure(1_000, 0.5)])[0]).not.to.include('MISSED');
  });
});
