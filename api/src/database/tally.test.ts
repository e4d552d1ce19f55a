import { expect } from 'chai';
import { pinStore } from '../pins/store.ts';
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
  before(async function () {
    this.timeout(30_000);
    database = await freshDatabase();
  });
  after(() => database.close());
  beforeEach(() => database.db.raw('truncate pin'));

  /** Counts anew what the tallies should hold. */
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

  /** Inserts, corrects and deletes some pins at random: single ones, many at once, in and out of transactions that come to nothing. */
  const mix = async (next: () => number, steps: number) => {
    const { db } = database;
    const any = () => places[Math.floor(next() * places.length)] as Place;
    const pin = () => ({ latitude: 1, longitude: 2, ...any() });
    for (let step = 0; step < steps; step++) {
      const choice = next();
      if (choice < 0.3) await pinStore(db).add({ lat: 1, long: 2 }, any());
      else if (choice < 0.5) await db('pin').insert(Array.from({ length: 1 + Math.floor(next() * 20) }, pin));
      else if (choice < 0.7)
        await retried(() =>
          db('pin')
            .where(db.raw('id % 7 = ?', [step % 7]))
            .update(any()),
        );
      else if (choice < 0.85)
        await retried(() =>
          db('pin')
            .where(db.raw('id % 5 = ?', [step % 5]))
            .delete(),
        );
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
  // Rows of pins have no order in which statements lock them: two corrections of many may meet.
  const retried = async (work: () => PromiseLike<unknown>): Promise<void> => {
    await Promise.resolve(work()).catch((error: { code?: string }) => {
      if (error.code !== '40P01') throw error;
      return retried(work);
    });
  };

  it('agree with a recount after a random mix of inserts, corrections and deletions', async () => {
    await mix(sequence(1), 200);
    expect(await kept()).to.deep.equal(await recount());
  });

  it('agree after eight such mixes at once', async function () {
    this.timeout(30_000);
    await Promise.all(Array.from({ length: 8 }, (_, seed) => mix(sequence(seed + 2), 50)));
    expect(await kept()).to.deep.equal(await recount());
  });

  it('are empty when the pins are truncated', async () => {
    await mix(sequence(20), 10);
    await database.db.raw('truncate pin');
    expect(await kept()).to.deep.equal([]);
  });

  // One session alone cannot deadlock.
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

  it('answer a pin the counts of just after it', async () => {
    const store = pinStore(database.db);
    const add = (country: string, state: string | null, city: string | null) =>
      store.add({ lat: 1, long: 2 }, { country, state, city });
    await add('A', 'North', 'Rome');
    await add('A', 'South', 'Rome');
    expect(await add('A', 'North', 'Rome')).to.deep.equal({
      country_count: 3,
      state_count: 2,
      city_count: 2,
    });
    expect(await add('A', null, 'Rome')).to.deep.equal({ country_count: 4, state_count: 0, city_count: 1 });
    expect(await add('A', 'South', null)).to.deep.equal({ country_count: 5, state_count: 2, city_count: 0 });
    expect(await add('A', null, null)).to.deep.equal({ country_count: 6, state_count: 0, city_count: 0 });
  });
});
