import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { useApi } from '../testing/api.ts';
import { type Outcome, runCli } from '../testing/command.ts';
import { serverUrl, settingsFor } from '../testing/database.ts';
import { Changed, pinRemoval } from './store.ts';

/** Six pins per country: one per hour from noon of 1 July 2026, each a degree further east. */
const fill = `
  insert into pin (latitude, longitude, country, state, city, visited_at)
  select 10 + place, hour, 'Country ' || place, 'State ' || hour % 2, 'City ' || hour % 3, timestamptz '2026-07-01T12:00:00Z' + make_interval(hours => hour)
  from generate_series(1, 3) as place, generate_series(0, 5) as hour order by hour, place`;

const wrongTallies = `
  select count(*)::int as wrong from (
    (select country, null as state, null as city, count(*) from pin group by country
     union all select country, state, null, count(*) from pin group by country, state
     union all select country, state, city, count(*) from pin group by country, state, city)
    except select country, state, city, total from pin_tally
  ) as missing`;

describe('removing pins and answers', () => {
  const api = useApi();
  const pins = async () => (await api.get('/api/locations')).body.locations as { id: number }[];
  const talliesAreExact = async () => {
    const { rows } = await api.database.db.raw(wrongTallies);
    expect(rows[0].wrong).to.equal(0);
    const { body } = await api.get('/api/locations/counts');
    expect(body.total_visitors).to.equal((await pins()).length);
  };
  beforeEach(async () => {
    const { db } = api.database;
    await db.raw(fill);
    await db('question').insert({ text: 'Why?' });
    await db('option').insert({ question_id: 1, text: 'Because' });
    await db.raw(
      `insert into visitor_response (option_id, answered_at)
       select 1, timestamptz '2026-07-01T12:00:00Z' + make_interval(hours => hour) from generate_series(0, 5) as hour`,
    );
  });
  const remove = (path: string, query: string) => api.staff.call('DELETE', `${path}?${query}`);

  for (const [query, matching] of [
    ['country=Country+2', 6],
    ['country=Atlantis', 0],
    ['id=7', 1],
    ['bbox=1,12,3,13', 6],
    // Across the date line: all but the pins in between.
    ['bbox=4,-90,1,90', 12],
    ['datetime=2026-07-01T13:00:00Z/2026-07-01T14:00:00Z', 6],
    ['datetime=2026-07-01', 18],
    ['datetime=../2026-06-30', 0],
    // Ends just before the first pins.
    ['datetime=../2026-07-01T11:59:59.999Z', 0],
    ['country=Country+1&bbox=0,0,2,90&datetime=2026-07-01T13:00:00Z/..', 2],
  ] as const) {
    it(`removes exactly the previewed pins: ${query}`, async () => {
      const before = await pins();
      const { status, body } = await api.staff.get(`/api/admin/pins?${query}`);
      expect(status).to.equal(200);
      expect(body.count).to.equal(matching);
      expect(body.sample).to.have.length(Math.min(matching, 10));
      expect(body.last_id).to.equal(body.sample[0]?.id ?? 0);
      expect(await pins(), 'a preview removes nothing').to.deep.equal(before);
      const done = await remove('/api/admin/pins', `${query}&count=${body.count}&last_id=${body.last_id}`);
      expect(done.body).to.deep.equal({
        success: true,
        message: `Removed ${matching} ${matching === 1 ? 'pin' : 'pins'}.`,
        removed: matching,
      });
      const after = await pins();
      expect(after).to.have.length(18 - matching);
      if (matching <= 10) {
        const gone = new Set(body.sample.map(({ id }: { id: number }) => id));
        expect(after).to.deep.equal(before.filter(({ id }) => !gone.has(id)));
      }
      await talliesAreExact();
    });
  }

  it('removes nothing if the rows have changed since the preview', async () => {
    const before = await pins();
    for (const query of ['country=Country+1&count=5&last_id=18', 'country=Country+1&count=6&last_id=9']) {
      const { status, body } = await remove('/api/admin/pins', query);
      expect(status).to.equal(409);
      expect(body.message).to.match(/^Nothing was removed: \d+ rows match now, \d matched in the preview\./);
    }
    expect(await pins()).to.deep.equal(before);
    await talliesAreExact();
  });

  it('keeps rows that visitors add after the preview', async () => {
    const { body } = await api.staff.get('/api/admin/pins?datetime=2026-07-01/..');
    expect((await api.post('/api/locations', { lat: 34.0522, long: -118.2437 })).status).to.equal(200);
    const query = `datetime=2026-07-01/..&count=${body.count}&last_id=${body.last_id}`;
    expect((await remove('/api/admin/pins', query)).body.removed).to.equal(18);
    expect(await pins()).to.have.length(1);
    await talliesAreExact();
  });

  it('removes answers by time and id', async () => {
    const { body } = await api.staff.get('/api/admin/answers?datetime=2026-07-01T14:00:00Z/..');
    expect(body.count).to.equal(4);
    expect(body.sample[0]).to.deep.equal({
      id: 6,
      oid: 1,
      question: 'Why?',
      option_selected: 'Because',
      vr_timestamp: '2026-07-01T17:00:00.000Z',
    });
    const query = `datetime=2026-07-01T14:00:00Z/..&count=4&last_id=${body.last_id}`;
    expect((await remove('/api/admin/answers', query)).body.removed).to.equal(4);
    expect((await remove('/api/admin/answers', 'id=1&count=1&last_id=1')).body.removed).to.equal(1);
    expect(await api.database.db('visitor_response').pluck('id')).to.deep.equal([2]);
  });

  it('rejects a request without a condition, and one that does not repeat the preview', async () => {
    for (const path of ['/api/admin/pins', '/api/admin/answers']) {
      expect((await api.staff.get(path)).status).to.equal(400);
      expect((await api.staff.get(path)).body.message).to.match(/^At least one of id[, and]+datetime/);
      expect((await remove(path, 'count=18&last_id=18')).status).to.equal(400);
      expect((await remove(path, 'id=1')).status).to.equal(400);
    }
    expect((await api.staff.get('/api/admin/answers?country=Norway')).status).to.equal(400);
    expect(await pins()).to.have.length(18);
  });

  it('is only for staff, and logs the address and the number of rows', async () => {
    for (const path of ['/api/admin/pins?id=1', '/api/admin/answers?id=1']) {
      expect((await api.get(path)).status).to.equal(401);
      expect((await api.call('DELETE', `${path}&count=1&last_id=1`)).status).to.equal(401);
    }
    await remove('/api/admin/pins', 'id=1&count=1&last_id=1');
    const entries = api.log.entries.filter(({ message }) => message === 'pins removed');
    expect(entries.at(-1)).to.include({ email: 'staff@example.org', removed: 1 });
  });

  it('keeps the tallies exact during visits, corrections and other removals', async function () {
    this.timeout(60_000);
    const removal = pinRemoval(api.database.db);
    const attempt = async (country: string) => {
      const { sample: _, ...expected } = await removal.preview({ country });
      await removal.remove({ country }, expected).catch((error: unknown) => {
        if (!(error instanceof Changed)) throw error;
      });
    };
    const visit = async (turn: number) => {
      expect((await api.post('/api/locations', { lat: 34.0522, long: -118.2437 })).status).to.equal(200);
      const body = { country: `Country ${(turn % 3) + 1}` };
      const { status } = await api.staff.call('PATCH', `/api/locations/${turn + 1}`, { body });
      expect(status).to.be.oneOf([200, 404]);
    };
    await Promise.all([
      ...Array.from({ length: 18 }, (_, turn) => visit(turn)),
      ...Array.from({ length: 6 }, (_, turn) => attempt(`Country ${(turn % 3) + 1}`)),
    ]);
    await talliesAreExact();
  });

  describe('by the command @slow', function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'map-app-removal-'));
    after(() => rmSync(folder, { recursive: true }));
    const run = (...args: string[]) => runWith({}, ...args);
    let place: Record<string, string>;
    before(async () => {
      place = await settingsFor(api.database, folder);
    });
    const runWith = (settings: Record<string, string>, ...args: string[]): Promise<Outcome> =>
      runCli(args, { env: { ...place, ...settings } });

    it('prints its usage', async () => {
      expect((await run('pins')).out).to.match(/Usage: map-app pins <command>[^]*remove/);
      for (const what of ['pins', 'answers']) {
        const { code, out } = await run(what, 'remove', '--help');
        expect(code).to.equal(0);
        expect(out)
          .to.match(new RegExp(`^Usage: map-app ${what} remove`))
          .and.include('--dry-run');
      }
      expect(await run('pins', 'paint')).to.include({ code: 2, out: '' });
    });

    for (const [args, sentence] of [
      [['pins', 'remove'], /^Specify at least one condition/],
      [['pins', 'remove', '--from', 'yesterday'], /^--from and --to must be dates or times/],
      [['pins', 'remove', '--from', '2026-07-02', '--to', '2026-07-01'], /^--from must be before --to/],
      [['pins', 'remove', '--box=1,2'], /^--box must be west,south,east,north/],
      [['pins', 'remove', '--id', 'x'], /^--id must be a number/],
      [['answers', 'remove', '--country', 'Norway'], /^There is no --country here/],
    ] as const) {
      it(`rejects "${args.join(' ')}" with one sentence: 2`, async () => {
        const { code, out, errors } = await run(...args);
        expect({ code, out }).to.deep.equal({ code: 2, out: '' });
        expect(errors).to.match(sentence);
      });
    }

    const full = () => ({ DATABASE_FOLDER: folder, DISK_RESERVE: '9999999' });

    it('removes nothing on a full disk', async () => {
      const { code, errors } = await runWith(full(), 'answers', 'remove', '--id', '99', '--yes');
      expect(code).to.equal(1);
      expect(errors).to.match(/^The disk of .* Nothing was changed\.\n$/);
    });

    // The command's embedded database is a separate, empty one.
    if (serverUrl) {
      // The embedded database does not start on a full disk.
      it('shows the matching rows on a full disk', async () => {
        const shown = await runWith(full(), 'answers', 'remove', '--id', '99', '--dry-run');
        expect(shown).to.deep.equal({
          code: 0,
          out: 'No answers match. Nothing was removed.\n',
          errors: '',
        });
      });

      const filter = ['--country', 'Country 2', '--from', '2026-07-01T13:00:00Z', '--to', '2026-07-01'];

      it('shows a count and a sample, and removes nothing with --dry-run or without a confirmation', async () => {
        const { code, out } = await run('pins', 'remove', ...filter, '--dry-run');
        expect(code).to.equal(0);
        expect(out)
          .to.match(
            /^5 pins matched\. The newest of them:\n {2}17 {2}2026-07-01T17:00:00\.000Z {2}City 2, State 1, Country 2 \(12, 5\)\n/,
          )
          .and.match(/\nNothing was removed \(--dry-run\)\.\n$/);
        const unsure = await run('pins', 'remove', ...filter);
        expect(unsure.code).to.equal(2);
        expect(unsure.errors).to.match(/^Nothing was removed: .* --yes\.\n$/);
        expect(await pins()).to.have.length(18);
      });

      it('prints names without the control sequences of a terminal', async () => {
        await api.database.db('pin').where({ id: 17 }).update({ city: 'City\u001B[2J' });
        const { out } = await run('pins', 'remove', '--id', '17', '--dry-run');
        expect(out).to.include('City?[2J, State 1, Country 2');
      });

      it('removes what matches with --yes, and updates all counts', async () => {
        const { code, out } = await run('pins', 'remove', ...filter, '--yes');
        expect(code).to.equal(0);
        expect(out).to.match(/\nRemoved 5 pins\.\n$/);
        expect(await pins()).to.have.length(13);
        await talliesAreExact();
        expect((await run('pins', 'remove', '--box=4,-90,1,90', '--id', '1', '--yes')).out).to.match(
          /Removed 1 pin\./,
        );
        expect((await run('answers', 'remove', '--to', '2026-07-01T13:00:00Z', '--yes')).out).to.match(
          /^2 answers matched\.[^]*\nRemoved 2 answers\.\n$/,
        );
        expect(await run('answers', 'remove', '--id', '1', '--yes')).to.deep.equal({
          code: 0,
          out: 'No answers match. Nothing was removed.\n',
          errors: '',
        });
      });
    }
  });
});
