import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { staffEmail, useApi } from '../testing/api.ts';

const bom = '\uFEFF';
const names = ['survey_responses', 'pin_responses', 'donation_visits'];
const noon = (day: number) => new Date(Date.UTC(2026, 6, day, 12, 0, 0, 250));

describe('reports', () => {
  const api = useApi();
  const rows = async (name: string) => (await api.staff.get(`/api/admin/${name}`)).body.responses;
  const csv = (name: string) => api.staff.get(`/api/admin/${name}?f=csv`);

  const fill = async () => {
    const { db } = api.database;
    await db('question').insert([{ text: 'Why?' }, { text: '=1+1', active: false }]);
    await db('option').insert([
      { question_id: 1, text: 'Seals, "sea lions"' },
      { question_id: 2, text: '@home', active: false },
    ]);
    await db('visitor_response').insert([
      { option_id: 2, answered_at: noon(1) },
      { option_id: 1, answered_at: noon(2) },
    ]);
    await db('pin').insert([
      { latitude: 1, longitude: 2, city: null, state: null, country: 'Åland', visited_at: noon(3) },
      {
        latitude: 1,
        longitude: 2,
        city: "-Saint-\nJohn's",
        state: '+',
        country: 'Canada',
        visited_at: noon(4),
      },
    ]);
    await db('donation_visit').insert([{ visited_at: noon(5) }, { visited_at: noon(6) }]);
  };

  it('are empty at first', async () => {
    for (const name of names) expect(await rows(name)).to.deep.equal([]);
    expect((await csv('pin_responses')).body).to.equal(`${bom}"city","state","country","visit_date"\r\n`);
  });

  it('have the flat rows that the console expects', async () => {
    await fill();
    expect(await rows('survey_responses')).to.deep.equal([
      { question: '=1+1', option_selected: '@home', timestamp: noon(1).toISOString() },
      { question: 'Why?', option_selected: 'Seals, "sea lions"', timestamp: noon(2).toISOString() },
    ]);
    expect(await rows('pin_responses')).to.deep.equal([
      { city: null, state: null, country: 'Åland', visit_date: noon(3).toISOString() },
      { city: "-Saint-\nJohn's", state: '+', country: 'Canada', visit_date: noon(4).toISOString() },
    ]);
    expect(await rows('donation_visits')).to.deep.equal([
      { visit_counter: 1, timestamp: noon(5).toISOString() },
      { visit_counter: 2, timestamp: noon(6).toISOString() },
    ]);
    expect((await api.staff.get('/api/admin/pin_responses?f=json')).body.responses).to.have.length(2);
  });

  it('have the answers in the order of their ids, not of their times', async () => {
    await fill();
    await api.database.db('visitor_response').insert({ option_id: 1, answered_at: noon(0) });
    const times = (await rows('survey_responses')).map(({ timestamp }: { timestamp: string }) => timestamp);
    expect(times).to.deep.equal([1, 2, 0].map((day) => noon(day).toISOString()));
  });

  it('are available as CSV files without formulas', async () => {
    await fill();
    const survey = await csv('survey_responses');
    expect(survey.status).to.equal(200);
    expect(survey.headers.get('content-type')).to.equal('text/csv; charset=utf-8');
    expect(survey.headers.get('content-disposition')).to.equal('attachment; filename="survey_responses.csv"');
    expect(survey.body).to.equal(
      [
        `${bom}"question","option_selected","timestamp"`,
        `"'=1+1","'@home","2026-07-01T12:00:00.250Z"`,
        '"Why?","Seals, ""sea lions""","2026-07-02T12:00:00.250Z"',
        '',
      ].join('\r\n'),
    );
    expect((await csv('pin_responses')).body).to.equal(
      [
        `${bom}"city","state","country","visit_date"`,
        ',,"Åland","2026-07-03T12:00:00.250Z"',
        `"'-Saint-\nJohn's","'+","Canada","2026-07-04T12:00:00.250Z"`,
        '',
      ].join('\r\n'),
    );
    expect((await csv('donation_visits')).body).to.equal(
      [
        `${bom}"visit_counter","timestamp"`,
        '1,"2026-07-05T12:00:00.250Z"',
        '2,"2026-07-06T12:00:00.250Z"',
        '',
      ].join('\r\n'),
    );
  });

  it('are complete across any number of pages', async () => {
    const { db } = api.database;
    for (const total of [999, 1_000, 1_001, 3_500]) {
      await db.raw('truncate donation_visit restart identity');
      await db.raw('insert into donation_visit (visited_at) select now() from generate_series(1, ?)', [
        total,
      ]);
      const counters = (await rows('donation_visits')).map(
        ({ visit_counter }: { visit_counter: number }) => visit_counter,
      );
      expect(counters).to.deep.equal(Array.from({ length: total }, (_, index) => index + 1));
      expect((await csv('donation_visits')).body.trimEnd().split('\r\n')).to.have.length(total + 1);
    }
  });

  it('are only for staff', async () => {
    for (const name of names) {
      expect((await api.get(`/api/admin/${name}`)).status).to.equal(401);
      expect((await api.get(`/api/admin/${name}?f=csv`)).status).to.equal(401);
    }
  });

  it('have no other format', async () => {
    for (const query of ['f=xlsx', 'f=', 'f=csv&f=csv', 'f=CSV', 'f=%00', 'page=1']) {
      expect((await api.staff.get(`/api/admin/pin_responses?${query}`)).status, query).to.equal(400);
    }
  });

  describe('of many rows', () => {
    // 23 MB, more than fits into all the buffers between the database and a client that does not read.
    const many = 15_000;
    beforeEach(async function () {
      this.timeout(60_000);
      await api.database.db.raw(
        `insert into pin (latitude, longitude, country, city)
         select 1, 2, 'United States of America', repeat('x', 1500) from generate_series(1, ?)`,
        [many],
      );
    });
    const download = async (): Promise<IncomingMessage> => {
      const path = '/api/admin/pin_responses?f=csv';
      // A new connection, because the server may close a kept-alive one at this moment.
      const headers = { authorization: `Bearer ${staffEmail}` };
      const request = get(api.address + path, { agent: false, headers });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      // The client may still receive a connection reset.
      request.on('error', () => undefined);
      return response;
    };

    it('do not block other requests while a client reads slowly, and are complete in the end', async function () {
      this.timeout(60_000);
      const response = await download();
      await once(response, 'readable');
      // The embedded database has one session. This request would wait forever if the download held it.
      expect((await api.post('/api/locations', { lat: 34.0522, long: -118.2437 })).status).to.equal(200);
      let lines = 0;
      for await (const chunk of response) lines += String(chunk).split('\n').length - 1;
      expect(lines).to.be.within(many + 1, many + 2);
    });

    it('may be aborted by the client', async function () {
      this.timeout(60_000);
      const response = await download();
      // The reset may be reported on the response before it is destroyed, or on its socket afterwards.
      response.on('error', () => undefined);
      response.socket.on('error', () => undefined);
      await once(response, 'readable').catch(() => undefined);
      response.destroy();
      expect((await api.get('/healthz')).status).to.equal(200);
      expect(api.log.entries.filter(({ level }) => level === 'error')).to.deep.equal([]);
    });

    it('end with a connection error if the database fails, so that a partial file is not taken for a complete one', async function () {
      this.timeout(60_000);
      const response = await download();
      await once(response, 'readable');
      await api.database.db.raw('alter table pin rename to pin_elsewhere');
      try {
        let failure: unknown;
        try {
          for await (const chunk of response) void chunk;
        } catch (error) {
          failure = error;
        }
        expect(failure).to.be.instanceOf(Error);
        expect(response.complete).to.equal(false);
      } finally {
        await api.database.db.raw('alter table pin_elsewhere rename to pin');
      }
    });
  });
});
