import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { readConfig } from '../config.ts';
import { openDatabase } from '../database/open.ts';
import { useApi } from '../testing/api.ts';
import { type Outcome, runCli } from '../testing/command.ts';
import { settingsFor } from '../testing/database.ts';
import { renamePins } from './rename.ts';

const chicago = { latitude: 41.8789, longitude: -87.6359 };
const paris = { latitude: 48.8606, longitude: 2.3376 };
const midPacific = { latitude: 0, longitude: -140 };
const usa = 'United States of America';

describe('pins rename', () => {
  const api = useApi();
  const rename = (isTrial = false) => renamePins(api.database.db, api.dependencies.geocoder, isTrial);

  /** Adds pins as an earlier release named them, `each` per place. */
  const fill = async (each: number) => {
    const places = [
      { ...chicago, country: usa, state: 'Illinois', city: 'Chicago Loop' },
      { ...paris, country: 'France', state: null, city: 'Paris 01 Louvre' },
      { ...paris, country: 'France', state: 'Île-de-France', city: 'Paris' },
      { ...midPacific, country: 'Kiribati', state: null, city: 'Somewhere' },
    ];
    const rows = places.flatMap((place) => Array.from({ length: each }, () => place));
    await api.database.db.raw(
      'insert into pin (latitude, longitude, country, state, city) select latitude, longitude, country, state, city from jsonb_populate_recordset(null::pin, ?)',
      [JSON.stringify(rows)],
    );
  };
  const named = async () => {
    const rows = await api.database.db('pin').orderBy('id').select('city', 'state', 'country');
    return [...new Set(rows.map(({ city, state, country }) => [city, state, country].join(', ')))];
  };
  /** Compares the tallies with the values counted from the rows. */
  const expectExactTallies = async () => {
    const { rows } = await api.database.db.raw(`
      with counted as (
        select country, null as state, null as city from pin
        union all select country, state, null from pin where state is not null
        union all select country, state, city from pin where city is not null
      ), expected as (
        select country, state, city, count(*) as total from counted group by 1, 2, 3
      ), kept as (select country, state, city, total from pin_tally where total <> 0)
      (table expected except table kept) union all (table kept except table expected)`);
    expect(rows).to.deep.equal([]);
  };

  it('shows what would change, and changes nothing', async () => {
    await fill(3);
    const before = await named();
    const { changes, ...counts } = await rename(true);
    expect(counts).to.deep.equal({ pins: 12, renamed: 6, inWater: 3, corrected: 0 });
    expect([...changes]).to.have.deep.members([
      [`Chicago Loop, Illinois, ${usa} → Chicago, Illinois, ${usa}`, 3],
      ['Paris 01 Louvre, (no state), France → Paris, Île-de-France, France', 3],
    ]);
    expect(await named()).to.deep.equal(before);
  });

  it('renames the pins and updates their tallies, and a second run changes nothing', async () => {
    await fill(3);
    expect(await rename()).to.deep.include({ pins: 12, renamed: 6, inWater: 3 });
    const after = [`Chicago, Illinois, ${usa}`, 'Paris, Île-de-France, France', 'Somewhere, , Kiribati'];
    expect(await named()).to.deep.equal(after);
    await expectExactTallies();
    expect((await api.get('/api/locations/state/%C3%8Ele-de-France')).body.locations).to.have.length(6);
    expect(await rename()).to.deep.include({ pins: 12, renamed: 0 });
  });

  it('keeps names that staff corrected, and derives the names of pins that staff only moved', async () => {
    await fill(1);
    const correct = async (id: number, body: object) =>
      expect((await api.staff.call('PATCH', `/api/locations/${id}`, { body })).status).to.equal(200);
    // Setting the same names again counts as a correction.
    await correct(1, { city: 'Chicago Loop' });
    await correct(1, { city: 'Chicago Loop' });
    await correct(2, { lat: paris.latitude, long: paris.longitude, city: 'Lutèce' });
    // The names are derived from the new point again.
    await correct(3, { city: 'Lutèce' });
    await correct(3, { lat: chicago.latitude, long: chicago.longitude });
    await api.database.db('pin').where({ id: 3 }).update({ city: 'Chicago Loop' });
    expect(await rename(true)).to.deep.include({ pins: 4, renamed: 1, inWater: 1, corrected: 2 });
    expect(await rename()).to.deep.include({ renamed: 1, corrected: 2 });
    const rows = await api.database.db('pin').orderBy('id').select('city');
    expect(rows.map(({ city }) => city)).to.deep.equal(['Chicago Loop', 'Lutèce', 'Chicago', 'Somewhere']);
    await expectExactTallies();
  });

  it('keeps the pins that staff correct or move while it runs', async () => {
    await fill(1);
    const { db } = api.database;
    const correcting = await db.transaction();
    await correcting('pin').where({ id: 1 }).update({ city: 'Chicago Loop' });
    await correcting('pin_correction').insert({ pin_id: 1 });
    await correcting('pin')
      .where({ id: 2 })
      .update({ ...chicago, country: usa, state: 'Illinois', city: 'Chicago' });
    const renaming = rename();
    await wait(300); // the command has read the pins, and waits for the lock
    await correcting.commit();
    await renaming;
    const rows = await db('pin').whereIn('id', [1, 2]).orderBy('id').select('city');
    expect(rows.map(({ city }) => city)).to.deep.equal(['Chicago Loop', 'Chicago']);
  });

  it('forgets the corrections of pins that are deleted', async () => {
    await fill(1);
    await api.staff.call('PATCH', '/api/locations/1', { body: { city: 'Chicago Loop' } });
    expect((await api.staff.call('DELETE', '/api/locations/1')).status).to.equal(200);
    expect(await api.database.db('pin_correction')).to.deep.equal([]);
  });

  it('keeps tallies exact over many batches, while visitors and staff write', async function () {
    this.timeout(120_000);
    await fill(900);
    const others = async () => {
      for (let turn = 1; turn <= 30; turn++) {
        const point = { lat: chicago.latitude, long: chicago.longitude };
        expect((await api.post('/api/locations', point)).status).to.equal(200);
        const body = { lat: paris.latitude, long: paris.longitude };
        expect((await api.staff.call('PATCH', `/api/locations/${turn * 100}`, { body })).status).to.equal(
          200,
        );
        expect((await api.staff.call('DELETE', `/api/locations/${turn * 100 + 1}`)).status).to.be.oneOf([
          200, 404,
        ]);
      }
    };
    await Promise.all([rename(), rename(), others(), others()]);
    await expectExactTallies();
    expect(await rename()).to.deep.include({ renamed: 0 });
    await expectExactTallies();
  });
});

describe('map-app pins rename @slow', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'map-app-pins-'));
  let place: Record<string, string>;
  before(async () => {
    place = await settingsFor({ url: null }, folder);
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (args: string[], variables: Record<string, string> = {}): Promise<Outcome> =>
    runCli(['pins', ...args], { env: { ...place, ...variables } });

  it('prints its usage', async () => {
    const { code, out, errors } = await run(['rename', '--help']);
    expect({ code, errors }).to.deep.equal({ code: 0, errors: '' });
    expect(out).to.match(/^Usage: map-app pins rename \[--dry-run\]/);
  });

  for (const args of [
    ['rename', 'all'],
    ['rename', '--now'],
  ]) {
    it(`rejects "${args.join(' ')}"`, async () => {
      const { code, out, errors } = await run(args);
      expect({ code, out }).to.deep.equal({ code: 2, out: '' });
      expect(errors).to.match(/\n\nUsage: map-app pins/);
    });
  }

  it('renames the stored pins', async () => {
    expect((await run(['rename', '--dry-run'])).out).to.equal(
      '0 of 0 pins would be renamed. Nothing was changed.\n',
    );
    expect(await run(['rename'])).to.deep.equal({ code: 0, out: 'Renamed 0 of 0 pins.\n', errors: '' });
  });

  it('prints stored names without the control sequences of a terminal', async () => {
    const { db, close } = await openDatabase(readConfig(place).database);
    await db('pin').insert({ ...chicago, country: usa, state: 'Illinois', city: 'Chicago\u001B[2J' });
    await close();
    expect((await run(['rename', '--dry-run'])).out).to.equal(
      `       1  Chicago?[2J, Illinois, ${usa} → Chicago, Illinois, ${usa}\n1 of 1 pins would be renamed. Nothing was changed.\n`,
    );
  });

  it('changes nothing on a full disk', async () => {
    const database = {
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
      SESSION_KEY: '00'.repeat(32),
      DATABASE_FOLDER: folder,
      DISK_RESERVE: '9999999',
    };
    const { code, out, errors } = await run(['rename'], database);
    expect({ code, out }).to.deep.equal({ code: 1, out: '' });
    expect(errors).to.match(/Nothing was changed\.\n$/);
  });
});
