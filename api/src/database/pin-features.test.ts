import { expect } from 'chai';
import type { Knex } from 'knex';
import { freshDatabase, type TestDatabase } from '../testing/database.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/index.ts';
import type { PinRow } from './tables.ts';

type StoredPin = PinRow & { feature: string };

const pin = {
  latitude: 0.000012345,
  longitude: -118.25,
  country: 'Ünited "States" \\ 🐋',
  state: null,
  city: '\t\u2028</script>',
  visited_at: new Date('1969-07-20T20:17:40.123Z'),
};

describe('the stored text of a pin', () => {
  let database: TestDatabase;
  before(async function () {
    this.timeout(120_000);
    database = await freshDatabase();
  });
  after(() => database.close());

  /** Compares the stored text of each pin with its other columns. Returns the number of pins. */
  const checkAll = async (db: Knex): Promise<number> => {
    const stored = await db<StoredPin>('pin').select('*');
    for (const { id, latitude, longitude, city, state, country, visited_at, feature } of stored) {
      expect(JSON.parse(feature)).to.deep.equal({
        type: 'Feature',
        id,
        geometry: { type: 'Point', coordinates: [longitude, latitude] },
        properties: { city, state, country, visit_date: visited_at.toISOString() },
      });
    }
    return stored.length;
  };

  it('is that of its columns, however the pin is stored or changed', async () => {
    const { db } = database;
    await db('pin').insert([pin, { ...pin, latitude: -90, longitude: 180, city: null }]);
    const { latitude, longitude, country } = pin;
    const request = { key: 'aa', request: 'bb', latitude, longitude, country, feature: 'forged' };
    await db.raw('select pin_insert_once(?)', [JSON.stringify([request])]);
    await db.raw("insert into pin (latitude, longitude, country, feature) values (1, 2, 'Oz', 'forged')");
    expect(await checkAll(db)).to.equal(4);
    await db('pin').where({ city: null }).update({ state: 'Île-de-France', longitude: 2.25 });
    await db.raw("update pin set feature = 'forged', visited_at = now()");
    expect(await checkAll(db)).to.equal(4);
  });

  it('is written by the migration for the pins of earlier releases', async function () {
    this.timeout(120_000);
    const { db } = database;
    await db.raw('drop schema public cascade; create schema public');
    const added = migrations.findIndex(({ name }) => name === '0013-pin-features');
    await migrate(db, migrations.slice(0, added));
    await db('pin').insert([pin, { ...pin, state: 'California' }]);
    await migrate(db, migrations.slice(0, added + 1));
    // A worker of the previous release stores a pin between the migrations.
    await db('pin').insert(pin);
    await migrate(db);
    expect(await checkAll(db)).to.equal(3);
    expect((await db('pin_tally').where({ city: null, state: null }).first())?.total).to.equal(3);
  });
});
