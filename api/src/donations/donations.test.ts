import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

describe('donations', () => {
  const api = useApi(() => ({ donationUrl: 'https://www.example.org/donate?from=map' }));
  const visits = async () => (await api.staff.get('/api/donation_visits')).body.donation_visits;

  it('redirect to the donation page and count every visit', async () => {
    const begin = Date.now();
    expect(await visits()).to.deep.equal([]);
    for (let turn = 0; turn < 3; turn++) {
      const { status, headers } = await api.get('/api/donation_redirect');
      expect(status).to.equal(302);
      expect(headers.get('location')).to.equal('https://www.example.org/donate?from=map');
      expect(headers.get('cache-control')).to.equal('no-store');
    }
    const counted = await visits();
    expect(counted.map(({ id }: { id: number }) => id)).to.deep.equal([1, 2, 3]);
    expect(counted[0].timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(counted[0].timestamp)).to.be.within(begin - 5_000, Date.now() + 5_000);
  });

  it('redirect HEAD and prefetch requests without counting them', async () => {
    const path = '/api/donation_redirect';
    const uncounted: [method: string, headers: Record<string, string>][] = [
      ['HEAD', {}],
      ['GET', { 'sec-purpose': 'prefetch' }],
      ['GET', { 'sec-purpose': 'prefetch;prerender' }],
      ['GET', { purpose: 'prefetch' }],
    ];
    for (const [method, headers] of uncounted) {
      const answer = await api.call(method, path, { headers });
      expect(answer.status).to.equal(302);
      expect(answer.headers.get('location')).to.equal('https://www.example.org/donate?from=map');
    }
    expect(await visits()).to.deep.equal([]);
    for (const headers of [{ 'sec-purpose': 'other' }, { purpose: '' }] as Record<string, string>[]) {
      await api.call('GET', path, { headers });
    }
    expect(await visits()).to.have.length(2);
  });

  it('are shown only to staff', async () => {
    expect((await api.get('/api/donation_visits')).status).to.equal(401);
  });
});

describe('donations without a donation page', () => {
  const api = useApi();

  it('return 503 with the reason and count no visit', async () => {
    const { status, body } = await api.get('/api/donation_redirect');
    expect(status).to.equal(503);
    expect(body.message).to.equal('No donation page is configured: set DONATION_URL.');
    expect((await api.staff.get('/api/donation_visits')).body.donation_visits).to.deep.equal([]);
  });
});
