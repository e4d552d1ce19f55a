import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

describe('survey', () => {
  const api = useApi();
  const ask = async (text: string): Promise<number> => {
    const { status, body } = await api.staff.post('/api/questions', { text });
    expect(status, body.message).to.equal(200);
    return body.qid;
  };
  const offer = async (qid: number, text: string): Promise<number> => {
    const { status, body } = await api.staff.post(`/api/options/qid/${qid}`, { text });
    expect(status, body.message).to.equal(200);
    return body.oid;
  };
  const answer = async (oid: number) => (await api.post('/api/visitor_response', { oid })).status;
  const questions = async () => (await api.get('/api/questions')).body.questions;
  const options = async () => (await api.get('/api/options')).body.options;
  const responses = async () => (await api.staff.get('/api/visitor_response')).body.responses;

  describe('questions', () => {
    it('are listed in the order in which they were added', async () => {
      const [first, second] = [await ask('How did you hear of us?'), await ask('  Will you come again? \n')];
      expect(await questions()).to.deep.equal([
        { qid: first, text: 'How did you hear of us?' },
        { qid: second, text: 'Will you come again?' },
      ]);
      expect((await api.get(`/api/questions/qid/${second}`)).body).to.deep.equal({
        question: { qid: second, text: 'Will you come again?' },
      });
    });

    it('are valid UTF-8', async () => {
      const body = Buffer.from('{"text": "Wh\xff?"}', 'latin1');
      expect((await api.staff.call('POST', '/api/questions', { body })).status).to.equal(400);
      expect(await questions()).to.deep.equal([]);
    });

    it('are unique', async () => {
      await ask('Why?');
      const { status, body } = await api.staff.post('/api/questions', { text: ' Why? ' });
      expect(status).to.equal(409);
      expect(body).to.deep.equal({ success: false, message: 'This question already exists.' });
    });

    it('are added once by concurrent requests', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => api.staff.post('/api/questions', { text: 'Why?' })),
      );
      expect(answers.map(({ status }) => status)).to.have.members([
        200,
        ...Array.from({ length: 7 }, () => 409),
      ]);
      expect(await questions()).to.have.length(1);
    });

    for (const [way, remove] of Object.entries({
      'in the body': (qid: number) => api.staff.call('DELETE', '/api/questions', { body: { qid } }),
      'in the path': (qid: number) => api.staff.call('DELETE', `/api/questions/qid/${qid}`),
    })) {
      it(`are deactivated with the id ${way}, and reactivated with their options and answers`, async () => {
        const qid = await ask('Why?');
        const oid = await offer(qid, 'Because');
        expect(await answer(oid)).to.equal(200);
        const { status, body } = await remove(qid);
        expect(status).to.equal(200);
        expect(body.success).to.equal(true);

        expect(await questions()).to.deep.equal([]);
        expect(await options()).to.deep.equal([]);
        expect((await api.get(`/api/questions/qid/${qid}`)).status).to.equal(404);
        expect((await api.get(`/api/options/qid/${qid}`)).status).to.equal(404);
        expect((await api.get(`/api/options/oid/${oid}`)).status).to.equal(404);
        expect((await remove(qid)).status).to.equal(404);
        const rewording = { updated_text: 'Since' };
        expect((await api.staff.post(`/api/options/oid/${oid}`, rewording)).status).to.equal(404);
        expect((await api.staff.call('DELETE', `/api/options/oid/${oid}`)).status).to.equal(404);
        expect(await answer(oid)).to.equal(422);
        expect(await responses()).to.have.length(1);

        expect(await ask('Why?')).to.equal(qid);
        expect(await questions()).to.deep.equal([{ qid, text: 'Why?' }]);
        expect(await options()).to.deep.equal([{ oid, qid, text: 'Because' }]);
        expect(await answer(oid)).to.equal(200);
      });
    }

    it('are reworded with their answers', async () => {
      const qid = await ask('Wy?');
      expect(await answer(await offer(qid, 'Because'))).to.equal(200);
      const { status, body } = await api.staff.post(`/api/questions/qid/${qid}`, { updated_text: ' Why? ' });
      expect(status).to.equal(200);
      expect(body.success).to.equal(true);
      expect(await questions()).to.deep.equal([{ qid, text: 'Why?' }]);
      const report = await api.staff.get('/api/admin/survey_responses');
      expect(report.body.responses[0]).to.deep.include({ question: 'Why?', option_selected: 'Because' });
    });

    it('cannot get the text of another question, even a deleted one', async () => {
      const [why, how] = [await ask('Why?'), await ask('How?')];
      const reword = () => api.staff.post(`/api/questions/qid/${how}`, { updated_text: 'Why?' });
      expect((await reword()).status).to.equal(409);
      await api.staff.call('DELETE', `/api/questions/qid/${why}`);
      const { status, body } = await reword();
      expect(status).to.equal(409);
      expect(body.message).to.match(/possibly a deleted one/);
      expect((await api.staff.post(`/api/questions/qid/${how}`, { updated_text: 'How?' })).status).to.equal(
        200,
      );
    });
  });

  describe('options', () => {
    it('belong to their question', async () => {
      const [why, how] = [await ask('Why?'), await ask('How?')];
      const [a, b, c] = [await offer(why, 'Other'), await offer(how, 'Other'), await offer(why, ' A map ')];
      expect(await options()).to.deep.equal([
        { oid: a, qid: why, text: 'Other' },
        { oid: b, qid: how, text: 'Other' },
        { oid: c, qid: why, text: 'A map' },
      ]);
      expect((await api.get(`/api/options/qid/${why}`)).body.options).to.deep.equal([
        { oid: a, qid: why, text: 'Other' },
        { oid: c, qid: why, text: 'A map' },
      ]);
      expect((await api.get(`/api/options/oid/${b}`)).body).to.deep.equal({
        option: { oid: b, qid: how, text: 'Other' },
      });
      expect((await api.staff.post(`/api/options/qid/${why}`, { text: 'Other' })).status).to.equal(409);
    });

    for (const [way, remove] of Object.entries({
      'in the body': (oid: number) => api.staff.call('DELETE', '/api/options', { body: { oid } }),
      'in the path': (oid: number) => api.staff.call('DELETE', `/api/options/oid/${oid}`),
    })) {
      it(`are deactivated with the id ${way}, and reactivated with their answers`, async () => {
        const qid = await ask('Why?');
        const oid = await offer(qid, 'Because');
        expect(await answer(oid)).to.equal(200);
        expect((await remove(oid)).status).to.equal(200);
        expect((await api.get(`/api/options/qid/${qid}`)).body).to.deep.equal({ options: [] });
        expect((await api.get(`/api/options/oid/${oid}`)).status).to.equal(404);
        expect((await remove(oid)).status).to.equal(404);
        expect(await answer(oid)).to.equal(422);
        expect((await responses()).map(({ oid }: { oid: number }) => oid)).to.deep.equal([oid]);
        expect(await offer(qid, 'Because')).to.equal(oid);
        expect(await answer(oid)).to.equal(200);
        expect(await responses()).to.have.length(2);
      });
    }

    it('are reworded, but not to the text of another option of their question', async () => {
      const qid = await ask('Why?');
      const [a] = [await offer(qid, 'Sea lions'), await offer(qid, 'Seals')];
      const reword = (text: string) => api.staff.post(`/api/options/oid/${a}`, { updated_text: text });
      expect((await reword('Sea Lions')).status).to.equal(200);
      expect((await api.get(`/api/options/oid/${a}`)).body.option.text).to.equal('Sea Lions');
      expect((await reword('Seals')).status).to.equal(409);
    });
  });

  describe('answers', () => {
    it('are recorded with their time', async () => {
      const begin = Date.now();
      const oid = await offer(await ask('Why?'), 'Because');
      const { status, body } = await api.post('/api/visitor_response', { oid });
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ success: true, message: 'The answer is recorded.' });
      expect(await answer(oid)).to.equal(200);
      const recorded = await responses();
      expect(recorded.map(({ oid }: { oid: number }) => oid)).to.deep.equal([oid, oid]);
      expect(recorded[0].vr_timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(recorded[0].vr_timestamp)).to.be.within(begin - 5_000, Date.now() + 5_000);
    });

    it('are all listed, across pages', async () => {
      const oid = await offer(await ask('Why?'), 'Because');
      expect(await responses()).to.have.length(0);
      for (const total of [999, 1_000, 1_001, 2_500]) {
        await api.database.db.raw('truncate visitor_response');
        await api.database.db.raw(
          'insert into visitor_response (option_id) select ? from generate_series(1, ?)',
          [oid, total],
        );
        expect(await responses()).to.have.length(total);
      }
    });
  });

  it('is changed only by staff', async () => {
    const oid = await offer(await ask('Why?'), 'Because');
    const calls: [string, string, object?][] = [
      ['POST', '/api/questions', { text: 'How?' }],
      ['DELETE', '/api/questions', { qid: 1 }],
      ['POST', '/api/questions/qid/1', { updated_text: 'How?' }],
      ['DELETE', '/api/questions/qid/1'],
      ['DELETE', '/api/options', { oid }],
      ['POST', `/api/options/oid/${oid}`, { updated_text: 'So' }],
      ['DELETE', `/api/options/oid/${oid}`],
      ['POST', '/api/options/qid/1', { text: 'So' }],
      ['GET', '/api/visitor_response'],
    ];
    for (const [method, path, body] of calls) {
      expect((await api.call(method, path, { body })).status, `${method} ${path}`).to.equal(401);
    }
    expect(await questions()).to.deep.equal([{ qid: 1, text: 'Why?' }]);
    expect(await options()).to.deep.equal([{ oid, qid: 1, text: 'Because' }]);
  });

  describe('unknown ids', () => {
    const byPath: [string, string, object?][] = [
      ['GET', '/api/questions/qid/'],
      ['POST', '/api/questions/qid/', { updated_text: 'x' }],
      ['DELETE', '/api/questions/qid/'],
      ['GET', '/api/options/qid/'],
      ['POST', '/api/options/qid/', { text: 'x' }],
      ['GET', '/api/options/oid/'],
      ['POST', '/api/options/oid/', { updated_text: 'x' }],
      ['DELETE', '/api/options/oid/'],
    ];
    const byBody: [string, string, string][] = [
      ['DELETE', '/api/questions', 'qid'],
      ['DELETE', '/api/options', 'oid'],
      ['POST', '/api/visitor_response', 'oid'],
    ];
    const status = (id: string) => (id === '1' || id === String(Number.MAX_SAFE_INTEGER) ? 404 : 400);
    const ids = ['1', '9007199254740991', '9007199254740993', '99999999999999999999999', '0', '-1', '1.5'];
    for (const id of ids) {
      it(`return ${status(id)} instead of a 500: ${id}`, async () => {
        for (const [method, path, body] of byPath) {
          expect((await api.staff.call(method, path + id, { body })).status, method + path).to.equal(
            status(id),
          );
        }
        for (const [method, path, name] of byBody) {
          const answer = await api.staff.call(method, path, { body: `{"${name}": ${id}}` });
          expect(answer.status, method + path).to.equal(status(id));
        }
      });
    }
    it('return 400 if they are not numbers', async () => {
      for (const id of ['x', 'NaN', '%00', '%F0%9F%A6%AD', '1%201']) {
        for (const [method, path, body] of byPath) {
          expect((await api.staff.call(method, path + id, { body })).status, path + id).to.equal(400);
        }
      }
    });
  });

  describe('an invalid text', () => {
    const places = (qid: number, oid: number): [string, string, number][] => [
      ['/api/questions', 'text', 160],
      [`/api/questions/qid/${qid}`, 'updated_text', 160],
      [`/api/options/qid/${qid}`, 'text', 100],
      [`/api/options/oid/${oid}`, 'updated_text', 100],
    ];
    const bad: Record<string, (name: string, longest: number) => unknown> = {
      missing: () => ({}),
      'with an additional field': (name) => ({ [name]: 'x', active: false }),
      null: (name) => ({ [name]: null }),
      'a number': (name) => ({ [name]: 1 }),
      NaN: (name) => `{"${name}": NaN}`,
      'a list': (name) => ({ [name]: ['x'] }),
      empty: (name) => ({ [name]: '' }),
      blank: (name) => ({ [name]: ' \t\n\u00A0' }),
      'too long': (name, longest) => ({ [name]: 'x'.repeat(longest + 1) }),
      'with a NUL': (name) => ({ [name]: 'a\0b' }),
      'a list for a body': () => ['x'],
      'an empty body': () => '',
    };
    for (const [what, body] of Object.entries(bad)) {
      it(`is rejected with 400: ${what}`, async () => {
        const qid = await ask('Why?');
        const oid = await offer(qid, 'Because');
        for (const [path, name, longest] of places(qid, oid)) {
          const { status, body: failure } = await api.staff.post(path, body(name, longest));
          expect(status, path).to.equal(400);
          expect(failure.message).to.match(/^\S.*\.$/);
        }
        expect(await questions()).to.deep.equal([{ qid, text: 'Why?' }]);
        expect(await options()).to.deep.equal([{ oid, qid, text: 'Because' }]);
      });
    }

    const good: Record<string, (longest: number) => string> = {
      'a single letter': () => 'x',
      'of the maximum length': (longest) => 'é'.repeat(longest),
      'of the maximum length within blanks': (longest) => `  ${'x'.repeat(longest)}  `,
      'of many scripts': () => '¿Qué? 何 🦭 עברית',
      'with quotes and markup': () => `'); drop table pin; -- <b>"x"</b>`,
    };
    for (const [what, text] of Object.entries(good)) {
      it(`is accepted: ${what}`, async () => {
        const [asked, offered] = [text(160), text(100)];
        const qid = await ask(asked);
        const oid = await offer(qid, offered);
        const reword = (path: string, text: string) => api.staff.post(path, { updated_text: text });
        expect((await reword(`/api/questions/qid/${qid}`, asked)).status).to.equal(200);
        expect((await reword(`/api/options/oid/${oid}`, offered)).status).to.equal(200);
        const stored = (text: string) => text.trim().toWellFormed();
        expect(await questions()).to.deep.equal([{ qid, text: stored(asked) }]);
        expect(await options()).to.deep.equal([{ oid, qid, text: stored(offered) }]);
      });
    }
  });

  it('accepts an id only as a number', async () => {
    const oid = await offer(await ask('Why?'), 'Because');
    for (const body of [
      {},
      { oid: String(oid) },
      { oid: null },
      { oid, qid: 1 },
      `{"oid": NaN}`,
      `{"oid": 1e400}`,
    ]) {
      expect((await api.post('/api/visitor_response', body)).status).to.equal(400);
    }
    expect(await responses()).to.deep.equal([]);
  });
});
