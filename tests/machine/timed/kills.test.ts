import { expect } from 'chai';
import { ask, eventually, provisionedMachine, psql, type Machine } from '../machine.ts';

// To run it more often: KILLS=100 scripts/test machine tests/machine/timed/kills.test.ts
const kills = Number(process.env['KILLS'] ?? 3);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Results of one writer and one reader, each with sequential requests. `longestGap`: milliseconds between two successful writes. */
type Seen = { acknowledged: string[]; failedWrites: number; failedReads: number; longestGap: number };

describe('The site recovers and loses no acknowledged write after SIGKILL', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  /** Writes and reads until `disturb` has ended and both succeed again. Then compares the acknowledged writes with the database. */
  async function whileUsed(disturb: (back: () => Promise<void>) => Promise<void>): Promise<Seen> {
    // A latitude in Colorado that no other test uses. Each pin has a different longitude.
    const lat = 39 + (Date.now() % 1e6) / 1e6;
    const seen: Seen = { acknowledged: [], failedWrites: 0, failedReads: 0, longestGap: 0 };
    const end = new AbortController();
    const each = async (step: (turn: number) => Promise<boolean>) => {
      for (let turn = 0, good = false; !end.signal.aborted || !good; turn += 1) {
        good = await step(turn);
        if (!good) await pause(20);
      }
    };
    let last = performance.now();
    const write = async (turn: number) => {
      const long = (-105 - turn / 1e5).toFixed(5);
      const done = await succeeds('/api/locations', { lat, long: Number(long) });
      if (done) {
        seen.acknowledged.push(String(Number(long)));
        seen.longestGap = Math.max(seen.longestGap, Math.round(performance.now() - last));
        last = performance.now();
      } else seen.failedWrites += 1;
      return done;
    };
    const read = async () => {
      const done = await succeeds('/api/locations/counts');
      if (!done) seen.failedReads += 1;
      return done;
    };
    const users = Promise.all([each(write), each(read)]);
    /** Waits for an acknowledged write that began after this call. */
    const back = async () => {
      const wanted = seen.acknowledged.length + 2;
      while (seen.acknowledged.length < wanted) await pause(5);
    };
    await back();
    await disturb(back);
    await back();
    end.abort();
    await users;

    const rows = (await psql(machine, `select longitude from pin where latitude = ${lat}`)).split('\n');
    const lost = seen.acknowledged.filter((long) => !rows.includes(long));
    process.stdout.write(
      `     ${seen.acknowledged.length} writes acknowledged, ${lost.length} lost, ${seen.failedWrites} failed; ` +
        `${seen.failedReads} reads failed; longest gap ${seen.longestGap} ms\n`,
    );
    expect(lost).to.deep.equal([]);
    expect(new Set(rows).size, 'no write is stored twice').to.equal(rows.length);
    return seen;
  }

  const succeeds = (path: string, body?: unknown) =>
    ask(machine, path, { ...(body !== undefined && { body }), timeout: 30_000 }).then(
      ({ status }) => status === 200,
      () => false,
    );

  /** Kills repeatedly, each time after a different delay since the recovery. */
  const killed =
    (times: number, ...commands: string[]) =>
    async (back: () => Promise<void>) => {
      for (let turn = 0; turn < times; turn += 1) {
        await machine.must(commands[turn % commands.length]!);
        await back();
        await pause((turn * 617) % 1500);
      }
    };

  it('with durable PostgreSQL settings: a write is acknowledged only when it is on the disk', async () => {
    expect(
      await psql(
        machine,
        "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')",
      ),
    ).to.equal('fsync=on full_page_writes=on synchronous_commit=on');
  });

  it(`of PostgreSQL, ${kills} times: its main process, or all its processes`, async () => {
    const kill = 'systemctl kill --signal=KILL --kill-whom';
    const seen = await whileUsed(
      killed(kills, `${kill}=main postgresql@17-main`, `${kill}=all postgresql@17-main`),
    );
    // Under a second on an idle machine.
    expect(seen.longestGap).to.be.below(5000);
  });

  it('of PostgreSQL, three times within a second, during its recovery', async () => {
    const command = 'systemctl kill --signal=KILL postgresql@17-main';
    await whileUsed(async () => {
      await machine.must(`${command}; sleep 0.1; ${command}; sleep 0.2; ${command}`);
    });
  });

  it('of all workers at once, and no safe request fails', async () => {
    const seen = await whileUsed(killed(3, "systemctl kill --signal=KILL 'map-app@*.service'"));
    expect(seen.failedReads).to.equal(0);
    expect(seen.longestGap).to.be.below(10_000);
  });

  it('of nginx', async () => {
    const kill = 'systemctl kill --signal=KILL --kill-whom';
    const seen = await whileUsed(killed(3, `${kill}=main nginx`, `${kill}=all nginx`));
    expect(seen.longestGap).to.be.below(5000);
  });

  it('of PostgreSQL, nginx and all workers at once', async () => {
    await whileUsed(killed(1, "systemctl kill --signal=KILL nginx postgresql@17-main 'map-app@*.service'"));
    await eventually(60, async () => {
      expect((await ask(machine, '/readyz')).status).to.equal(200);
      expect(
        await machine.must('systemctl is-active nginx postgresql@17-main map-app map-app@1 map-app@2'),
      ).to.equal('active\nactive\nactive\nactive\nactive');
    });
  });
});
