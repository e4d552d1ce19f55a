import { runLoad, type LoadOptions, type LoadReport } from '../load.ts';
import { domain, psql, type Machine } from './machine.ts';

/** What load saw, and how many pins there are more than before it: one for each acknowledged insert if none was lost or done twice. */
export type Loaded = LoadReport & { rows: number };

type Amount = Pick<LoadOptions, 'readers' | 'writers' | 'strangers' | 'slow' | 'pause'>;

const second = () => new Promise((resolve) => setTimeout(resolve, 1000));

/** Load on the machine from before `disturb` begins until after it has ended, at most ten minutes. It is printed in a line. */
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

const pins = async (machine: Machine) => Number(await psql(machine, 'select count(*) from pin'));

function print(seen: Loaded) {
  process.stdout.write(
    `     ${seen.reads} reads (${seen.failedReads} failed), ${seen.acknowledgedWrites} inserts acknowledged ` +
      `(${seen.failedWrites} failed, ${seen.rows} rows), ${seen.repeated} repeated, p99 ${seen.p99} ms, slowest ${seen.slowest} ms\n`,
  );
}
