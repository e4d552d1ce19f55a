import { admitLoad, expectNothingLost, whileLoaded } from '../loaded.ts';
import { provisionedMachine, type Machine } from '../machine.ts';

const times = 5;

describe('With 16 readers and 4 writers no request is lost', () => {
  let machine: Machine;

  before('provision the machine, without rate limits', async () => {
    machine = await provisionedMachine();
    await admitLoad(machine);
  });

  async function loaded(disturb: () => Promise<unknown>) {
    const seen = await whileLoaded(machine, { readers: 16, writers: 4 }, disturb);
    expectNothingLost(seen, 100);
  }

  const repeat = (command: string) => async () => {
    for (let turn = 0; turn < times; turn += 1) await machine.must(command);
  };

  it(`while systemctl reload map-app runs ${times} times`, () => loaded(repeat('systemctl reload map-app')));

  it(`while systemctl restart map-app runs ${times} times`, () =>
    loaded(repeat('systemctl restart map-app')));

  it(`while a worker is killed ${times} times`, () =>
    loaded(repeat('systemctl kill --signal=KILL map-app@1 && sleep 1')));
});
