import { expect } from 'chai';
import { runLoad, type LoadOptions, type LoadReport } from '../load.ts';
import { converge, domain, psql, type Machine } from './machine.ts';

/** The load report, and the number of added pins: one per acknowledged insert, unless an insert was lost or stored twice. */
export type Loaded = LoadReport & { rows: number };

type Amount = Pick<LoadOptions, 'readers' | 'writers' | 'strangers' | 'slow' | 'pause'>;

/** A steady load that does not saturate the machine, because latency is measured too. */
export const steady: Amount = { readers: 4, strangers: 2, writers: 2, slow: 2, pause: 20 };

/** A light load, which leaves the processor to other tests: for faults that affect requests for seconds, not for moments. */
export const light: Amount = { readers: 2, strangers: 1, writers: 2, slow: 2, pause: 100 };

/** Variables that disable nginx's rate limits for writes. */
export const unlimited = { nginx_writes_per_minute: 10_000_000, nginx_total_writes_per_minute: 10_000_000 };

export const admitLoad = (machine: Machine): Promise<string[]> =>
  converge(machine, { arguments: ['--tags', 'nginx'], vars: unlimited });

const second = () => new Promise((resolve) => setTimeout(resolve, 1000));

/** Sends load from before `disturb` starts until after it has ended, for at most ten minutes. Prints a summary line. */
export async function whileLoaded(
  machine: Machine,
  amount: Amount,
  disturb: () => Promise<unknown>,
): Promise<Loaded> {
  const before = await pins(machine);
  const end = new AbortController();
  const load = runLoad({ ...amount, address: machine.address, domain, seconds: 600, until: end.signal });
  try {
    await second();
    await disturb();
    await second();
  } finally {
    end.abort();
  }
  const report = await load;
  const loaded = { ...report, rows: (await pins(machine)) - before };
  print(loaded);
  return loaded;
}

/** Throws if a request failed, if inserts were lost or stored twice, or if there were too few inserts for a meaningful result. */
export function expectNothingLost(seen: Loaded, least = 50): void {
  expect(seen.failures).to.deep.equal({});
  expect(seen.rows, 'rows against acknowledged inserts').to.equal(seen.acknowledgedWrites);
  expect(seen.acknowledgedWrites).to.be.above(least);
}

const pins = async (machine: Machine) => Number(await psql(machine, 'select count(*) from pin'));

function print(seen: Loaded) {
  process.stdout.write(
    `     ${seen.reads} reads (${seen.failedReads} failed), ${seen.acknowledgedWrites} inserts acknowledged ` +
      `(${seen.failedWrites} failed, ${seen.rows} rows), ${seen.repeated} repeated, p99 ${seen.p99} ms, slowest ${seen.slowest} ms\n`,
  );
}
