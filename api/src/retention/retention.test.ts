import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { serverUrl, settingsFor } from '../testing/database.ts';
import { useApi } from '../testing/api.ts';
import { type Outcome, runCli } from '../testing/command.ts';
import { deleteOlderThan } from './retention.ts';

describe('retention', () => {
  const api = useApi();
  const total = async () => (await api.get('/api/locations/counts')).body.total_visitors;
  const left = async (table: 'pin' | 'visitor_response') => (await api.database.db(table)).length;

  /** Adds pins and answers: one of each per day, the first a moment ago. */
  const fill = async (days: number) => {
    const { db } = api.database;
    await db('question').insert({ text: 'Why?' });
    await db('option').insert({ question_id: 1, text: 'Because' });
    await db.raw(
      `insert into pin (latitude, longitude, country, state, city, visited_at)
       select 1, 2, 'Country ' || day % 3, 'State ' || day % 5, 'City ' || day % 7, now() - make_interval(days => day)
       from generate_series(0, ? - 1) as day`,
      [days],
    );
    await db.raw(
      `insert into visitor_response (option_id, answered_at)
       select 1, now() - make_interval(days => day) from generate_series(0, ? - 1) as day`,
      [days],
    );
  };

  it('deletes only older rows', async () => {
    await fill(100);
    await api.database.db('donation_visit').insert({ visited_at: new Date('2001-01-01') });
    expect(await deleteOlderThan(api.database.db, 30)).to.deep.equal({ pins: 70, answers: 70 });
    expect([await total(), await left('pin'), await left('visitor_response')]).to.deep.equal([30, 30, 30]);
    expect(await deleteOlderThan(api.database.db, 30)).to.deep.equal({ pins: 0, answers: 0 });
    expect(await api.database.db('donation_visit')).to.have.length(1);
    expect(await api.database.db('question')).to.have.length(1);
  });

  it('keeps the counts exact over many batches, during visits and corrections', async function () {
    this.timeout(60_000);
    await fill(3_500);
    const visitors = async () => {
      for (let turn = 0; turn < 30; turn++) {
        expect((await api.post('/api/locations', { lat: 34.0522, long: -118.2437 })).status).to.equal(200);
        const body = { city: `City ${turn % 7}` };
        expect((await api.staff.call('PATCH', `/api/locations/${turn + 1}`, { body })).status).to.be.oneOf([
          200, 404,
        ]);
      }
    };
    const [deleted] = await Promise.all([deleteOlderThan(api.database.db, 20), visitors(), visitors()]);
    expect(deleted).to.deep.equal({ pins: 3_480, answers: 3_480 });
    expect(await total()).to.equal(80);
    const { rows } = await api.database.db.raw(`
      select count(*) as wrong from (
        (select country, state, city, count(*) from pin group by country, state, city)
        except select country, state, city, total from pin_tally
      ) as missing`);
    expect(Number(rows[0].wrong)).to.equal(0);
    expect(await left('pin')).to.equal(80);
  });

  it('tries again if PostgreSQL cancels a deletion because of a deadlock', async () => {
    await fill(100);
    const { db } = api.database;
    // A rollback does not undo that a sequence advances.
    await db.raw(`
      create sequence attempt;
      create function fail_once() returns trigger language plpgsql as $$
        begin
          if nextval('attempt') = 1 then raise exception using errcode = '40P01'; end if;
          return null;
        end
      $$;
      create trigger fail_once after delete on pin execute function fail_once();`);
    try {
      expect(await deleteOlderThan(db, 30)).to.deep.equal({ pins: 70, answers: 70 });
    } finally {
      await db.raw('drop function fail_once cascade; drop sequence attempt;');
    }
  });

  // The embedded database has one session, which nothing can block.
  if (serverUrl) {
    it('continues after a deadlock with another write', async () => {
      await fill(100);
      const { db } = api.database;
      const deleted = await db.transaction(async (other) => {
        // Makes PostgreSQL cancel the retention, not this transaction.
        await other.raw("set local deadlock_timeout = '1h'");
        await other.raw("select from pin_tally where country = 'Country 1' for update");
        const deleting = deleteOlderThan(db, 30);
        await untilOneWaits(db);
        await other.raw('select from pin where id = 100 for update');
        return { deleting };
      });
      expect(await deleted.deleting).to.deep.equal({ pins: 70, answers: 70 });
      expect(await total()).to.equal(30);
    }).timeout(30_000);
  }

  it('deletes idempotency keys after 24 hours', async () => {
    const headers = { 'idempotency-key': 'a' };
    await api.call('POST', '/api/locations', { body: { lat: 34.0522, long: -118.2437 }, headers });
    await deleteOlderThan(api.database.db, 1);
    expect(await api.database.db('idempotency')).to.have.length(1);
    await api.database.db('idempotency').update({ expires_at: new Date(0) });
    await deleteOlderThan(api.database.db, 1);
    expect(await api.database.db('idempotency')).to.have.length(0);
  });

  describe('as a command', function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'map-app-retention-'));
    after(() => rmSync(folder, { recursive: true }));
    let place: Record<string, string>;
    before(async () => {
      place = await settingsFor(api.database, folder);
    });
    const run = (env: Record<string, string>): Promise<Outcome> =>
      runCli(['retention'], { env: { ...place, ...env } });

    it('keeps everything if RETENTION_DAYS is not set', async () => {
      await fill(3);
      expect(await run({})).to.deep.equal({
        code: 0,
        out: 'RETENTION_DAYS is not set: nothing is deleted.\n',
        errors: '',
      });
      expect(await left('pin')).to.equal(3);
    });

    it('deletes nothing on a disk that is almost full', async () => {
      await fill(3);
      const env = { RETENTION_DAYS: '1', DATABASE_FOLDER: folder, DISK_RESERVE: '9999999' };
      const { code, out, errors } = await run(env);
      expect(errors).to.match(/^The disk of .* MB left\. .*DISK_RESERVE.* Nothing was changed\.\n$/);
      expect([code, out]).to.deep.equal([1, '']);
      expect(await left('pin')).to.equal(3);
    });

    it('prints what it deleted', async () => {
      await fill(3);
      // The embedded database of the command is a separate, empty one.
      const [deleted, kept] = serverUrl ? [2, 1] : [0, 3];
      expect(await run({ RETENTION_DAYS: '1' })).to.deep.equal({
        code: 0,
        out: `Deleted ${deleted} pins and ${deleted} answers (RETENTION_DAYS is 1).\n`,
        errors: '',
      });
      expect(await left('pin')).to.equal(kept);
    });
  });
});

/** Waits until a session of the database waits for a lock. */
async function untilOneWaits(db: Knex): Promise<void> {
  const waiting = () =>
    db('pg_stat_activity').where({ wait_event_type: 'Lock', datname: db.raw('current_database()') });
  while ((await waiting()).length === 0) await wait(20);
}
