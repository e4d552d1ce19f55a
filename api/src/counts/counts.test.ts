import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

describe('GET /admin/count', () => {
  const api = useApi();

  it('answers the totals, num_rescues from the start', async () => {
    expect((await api.get('/admin/count')).body).to.deep.equal({
      counts: [{ name: 'num_rescues', total: 0 }],
    });
  });

  it('answers totals past 32 bits as numbers', async () => {
    await api.database.db('count').where({ name: 'num_rescues' }).update({ total: 5_000_000_000 });
    expect((await api.get('/admin/count')).body.counts[0].total).to.equal(5_000_000_000);
  });
});
