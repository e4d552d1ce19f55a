import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { claimOf } from '../http/idempotency.ts';
import { importFiles } from '../import/import.ts';
import { pinStore } from '../pins/store.ts';
import { deleteOlderThan } from '../retention/retention.ts';
import { freshDatabase, serverUrl, type TestDatabase } from '../testing/database.ts';
import { sequence } from '../testing/sequence.ts';

type Place = { country: string; state: string | null; city: string | null };

const places: Place[] = ['A', 'B', 'C'].flatMap((country) =>
  [null, 'North', 'South'].flatMap((state) =>
    [null, 'Springfield', 'Rome'].map((city) => ({ country, state, city })),
  ),
);

describe('tallies', () => {
  let database: TestDatabase;
  let store: ReturnType<typeof pinStore>;
  let folder: string;
  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), 'tally-'));
    database = await freshDatabase();
    store = pinStore(database.db);
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await database.close();
  });
  beforeEach(() => database.db.raw('truncate pin cascade'));

  /** Computes what the tallies should contain. */
  const recount = async () => {
    const { rows } = await database.db.raw(`
      select country, null as state, null as city, count(*) as total from pin group by country
      union all select country, state, null, count(*) from pin where state is not null group by country, state
      union all select country, state, city, count(*) from pin where city is not null group by country, state, city`);
    return rows.map(line).sort();
  };
  const kept = async () => (await database.db('pin_tally').where('total', '!=', 0)).map(line).sort();
  const line = ({ country, state, city, total }: Place & { total: number }) =>
    `${country}/${state}/${city}: ${total}`;

  /** Adds a pin as a visitor does, and returns its counts. */
  const add = (place: Place) =>
    store.add(
      { latitude: 1, longitude: 2, ...place },
      claimOf({ key: randomUUID(), call: 'add', input: place }),
    );

  const bring = async (pins: Place[], date: Date) => {
    const file = join(folder, randomUUID());
    const lines = pins.map(
      ({ country, state, city }) => `1,2,${city ?? ''},${state ?? ''},${country},${date.toISOString()}`,
    );
    await writeFile(file, ['lat,long,city,state,country,visit_date', ...lines, ''].join('\n'));
    await importFiles(database.db, { pins: file });
  };

  /**
   * Everything that changes pins, at random: inserts by visitors, imports, corrections, deletions, retention, and
   * transactions that roll back.
   */
  const mix = async (next: () => number, steps: number) => {
    const { db } = database;
    const any = () => places[Math.floor(next() * places.length)] as Place;
    const some = (most: number) => Array.from({ length: 1 + Math.floor(next() * most) }, any);
    const day = () => new Date(Date.now() - Math.floor(next() * 60) * 86_400_000);
    const pin = () => ({ latitude: 1, longitude: 2, visited_at: day(), ...any() });
    for (let step = 0; step < steps; step++) {
      const choice = next();
      if (choice < 0.3) await Promise.all(some(4).map(add));
      else if (choice < 0.4) await db('pin').insert(Array.from({ length: 1 + Math.floor(next() * 20) }, pin));
      else if (choice < 0.5) await retried(() => bring(some(20), day()));
      else if (choice < 0.65)
        await retried(() =>
          db('pin')
            .where(db.raw('id % 7 = ?', [step % 7]))
            .update(any()),
        );
      else if (choice < 0.8)
        await retried(() =>
          db('pin')
            .where(db.raw('id % 5 = ?', [step % 5]))
            .delete(),
        );
      else if (choice < 0.9) await retried(() => deleteOlderThan(db, 50));
      else
        await db
          .transaction(async (trx) =>
            trx('pin')
              .insert(pin())
              .then(() => trx.rollback()),
          )
          .catch(() => undefined);
    }
  };
  // Rows of pins are locked in no particular order, so two large corrections may deadlock.
  const retried = async (work: () => PromiseLike<unknown>): Promise<void> => {
    await Promise.resolve(work()).catch((error: { code?: string }) => {
      if (error.code !== '40P01') throw error;
      return retried(work);
    });
  };

  it('match a recount after a random mix of inserts, imports, corrections, deletions and retention', async () => {
    await mix(sequence(1), 200);
    expect(await kept()).to.deep.equal(await recount());
  });

  it('match a recount after eight such mixes at once', async function () {
    this.timeout(120_000);
    await Promise.all(Array.from({ length: 8 }, (_, seed) => mix(sequence(seed + 2), 50)));
    expect(await kept()).to.deep.equal(await recount());
  });

  it('are empty when the pins are truncated', async () => {
    await mix(sequence(20), 10);
    await database.db.raw('truncate pin cascade');
    expect(await kept()).to.deep.equal([]);
  });

  // A single session cannot deadlock.
  if (serverUrl) {
    it('are locked in one order, so that inserts of many places never deadlock', async () => {
      const { db } = database;
      const rows = places.map((place) => ({ latitude: 1, longitude: 2, ...place }));
      await Promise.all(
        Array.from({ length: 40 }, (_, turn) => db('pin').insert(turn % 2 ? rows : rows.toReversed())),
      );
      expect(await kept()).to.deep.equal(await recount());
    });
  }

  it('return the counts immediately after the pin', async () => {
    const at = (country: string, state: string | null, city: string | null) => add({ country, state, city });
    await at('A', 'North', 'Rome');
    await at('A', 'South', 'Rome');
    expect(await at('A', 'North', 'Rome')).to.deep.equal({
      country_count: 3,
      state_count: 2,
      city_count: 2,
    });
    expect(await at('A', null, 'Rome')).to.deep.equal({ country_count: 4, state_count: 0, city_count: 1 });
    expect(await at('A', 'South', null)).to.deep.equal({ country_count: 5, state_count: 2, city_count: 0 });
    expect(await at('A', null, null)).to.deep.equal({ country_count: 6, state_count: 0, city_count: 0 });
  });
  it('return to each of many concurrent pins the counts after it, as if they had arrived one by one', async () => {
    const counts = await Promise.all(
      Array.from({ length: 60 }, (_, turn) =>
        add({ country: 'A', state: turn % 2 ? 'North' : null, city: turn % 3 ? 'Rome' : null }),
      ),
    );
    const seen = (name: keyof (typeof counts)[number]) =>
      counts.map((each) => each[name]).toSorted((a, b) => a - b);
    const upTo = (most: number) => Array.from({ length: most }, (_, turn) => turn + 1);
    expect(seen('country_count')).to.deep.equal(upTo(60));
    expect(seen('state_count')).to.deep.equal([...Array.from({ length: 30 }, () => 0), ...upTo(30)]);
    expect(seen('city_count')).to.deep.equal(
      [...Array.from({ length: 20 }, () => 0), ...upTo(20), ...upTo(20)].toSorted((a, b) => a - b),
    );
    expect(await kept()).to.deep.equal(await recount());
  });
});
