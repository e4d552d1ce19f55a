import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

describe('counts', () => {
  const api = useApi();
  const counts = async () => (await api.get('/admin/count')).body.counts;
  const seed = { name: 'num_rescues', total: 0 };

  it('begin with num_rescues', async () => {
    expect(await counts()).to.deep.equal([seed]);
  });

  it('may exceed 32 bits', async () => {
    await api.database.db('count').where({ name: 'num_rescues' }).update({ total: 5_000_000_000 });
    expect(await counts()).to.deep.equal([{ name: 'num_rescues', total: 5_000_000_000 }]);
  });

  it('are added only once', async () => {
    const added = await api.staff.post('/admin/count', { name: ' num_released ', total: 3 });
    expect(added.status).to.equal(200);
    expect(added.body).to.deep.equal({ success: true, message: 'The total is added.' });
    const again = await api.staff.post('/admin/count', { name: 'num_released', total: 4 });
    expect(again.status).to.equal(409);
    expect(again.body.message).to.equal('A total with this name already exists.');
    expect(await counts()).to.deep.equal([{ name: 'num_released', total: 3 }, seed]);
  });

  it('are set, by a number or by its digits', async () => {
    for (const [total, as] of [
      [7, 7],
      [12_345, '12345'],
      [0, '0'],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      [999_999_999_999_999, '999999999999999'],
    ]) {
      const { status, body } = await api.staff.post('/admin/count/num_rescues', { new_total: as });
      expect(status, body.message).to.equal(200);
      expect(await counts()).to.deep.equal([{ name: 'num_rescues', total }]);
    }
  });

  it('may have any name', async () => {
    const name = "año's 🦭 100%/x";
    expect((await api.staff.post('/admin/count', { name, total: '1' })).status).to.equal(200);
    const path = `/admin/count/${encodeURIComponent(name)}`;
    expect((await api.staff.post(path, { new_total: 2 })).status).to.equal(200);
    expect(await counts()).to.deep.include({ name, total: 2 });
  });

  it('return 404 for an unknown name', async () => {
    for (const name of ['nothing', '%F0%9F%A6%AD', 'x'.repeat(100)]) {
      expect((await api.staff.post(`/admin/count/${name}`, { new_total: 1 })).status).to.equal(404);
    }
    expect(await counts()).to.deep.equal([seed]);
  });

  it('return 400 for an invalid name', async () => {
    for (const name of ['%00', '%20', 'x'.repeat(101)]) {
      expect((await api.staff.post(`/admin/count/${name}`, { new_total: 1 })).status).to.equal(400);
    }
  });

  it('are changed only by staff', async () => {
    expect((await api.post('/admin/count', { name: 'x', total: 1 })).status).to.equal(401);
    expect((await api.post('/admin/count/num_rescues', { new_total: 1 })).status).to.equal(401);
    expect(await counts()).to.deep.equal([seed]);
  });

  const notTotals: Record<string, string> = {
    null: 'null',
    'a negative number': '-1',
    'a part': '1.5',
    'a part in digits': '"1.5"',
    'past 2^53': '9007199254740993',
    'digits past 2^53': '"9007199254740993"',
    'beyond the range of doubles': '1e400',
    NaN: 'NaN',
    'no digits': '""',
    'a word': '"many"',
    'digits and more': '"12 "',
    hexadecimal: '"0x10"',
    'other digits': '"١٢"',
    'digits with a NUL': '"1\\u0000"',
    'a list': '[1]',
    'true or false': 'true',
  };
  for (const [what, total] of Object.entries(notTotals)) {
    it(`are rejected with 400: ${what}`, async () => {
      for (const [path, body] of [
        ['/admin/count', `{"name": "x", "total": ${total}}`],
        ['/admin/count/num_rescues', `{"new_total": ${total}}`],
      ] as const) {
        const { status, body: failure } = await api.staff.post(path, body);
        expect(status, path).to.equal(400);
        expect(failure.message).to.match(/^\S.*\.$/);
      }
      expect(await counts()).to.deep.equal([seed]);
    });
  }

  for (const [what, body] of Object.entries({
    'no name': { total: 1 },
    'no total': { name: 'x' },
    more: { name: 'x', total: 1, id: 1 },
    'a number for a name': { name: 1, total: 1 },
    'a blank name': { name: ' ', total: 1 },
    'a name that is too long': { name: 'x'.repeat(101), total: 1 },
    'a name with a NUL': { name: 'a\0', total: 1 },
    nothing: '',
  })) {
    it(`are not added with ${what}`, async () => {
      expect((await api.staff.post('/admin/count', body)).status).to.equal(400);
      expect(await counts()).to.deep.equal([seed]);
    });
  }
});
