import { expect } from 'chai';
import { useApi } from '../testing/api.ts';

const asBrowser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

describe('pages', () => {
  const api = useApi();

  it('/ links to /docs in a browser, and is the landing page for programs', async () => {
    const { status, headers, body } = await api.call('GET', '/', { headers: asBrowser });
    expect(status).to.equal(200);
    expect(headers.get('vary')).to.match(/\bAccept\b(?!-)/);
    expect(body).to.include('href="/docs"');
    expect((await api.get('/')).body).to.have.property('links');
  });

  it('an unknown path is a page in a browser, and JSON for programs', async () => {
    const { status, headers, body } = await api.call('GET', '/nothing', { headers: asBrowser });
    expect(status).to.equal(404);
    expect(headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(body).to.include('There is nothing at this address.').and.to.include('href="/"');
    expect((await api.get('/nothing')).body).to.deep.equal({
      success: false,
      message: 'There is nothing at this address.',
    });
    const written = await api.call('POST', '/nothing', { headers: asBrowser, body: {} });
    expect(written.body).to.have.property('success', false);
  });
});
