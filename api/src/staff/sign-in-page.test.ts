import { expect } from 'chai';
import { useApi } from '../testing/api.ts';
import { type Google, startGoogle } from '../testing/google.ts';
import { sessionCookie } from '../http/session-cookie.ts';
import { tokenVerifier } from './token.ts';

const asBrowser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

describe('the page /sign-in', () => {
  let google: Google;
  before(async () => (google = await startGoogle()));
  const api = useApi(({ log }) => ({
    verifyToken: tokenVerifier(google, log),
    googleClientId: google.clientId,
  }));
  after(() => google.close());

  it("shows Google's button, and its policy allows only what the button needs", async () => {
    const { status, headers, body } = await api.get('/sign-in');
    expect(status).to.equal(200);
    expect(headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(headers.get('cache-control')).to.equal('no-store');
    expect(body).to.include(`data-client-id="${google.clientId}"`);
    const policy = headers.get('content-security-policy');
    expect(policy).to.include(
      "default-src 'none'; script-src 'self' https://accounts.google.com/gsi/client;",
    );
    expect(policy).not.to.match(/unsafe|\*/);
    expect(body).not.to.match(/<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/);
    // Google's library does not work without the origin.
    expect(headers.get('referrer-policy')).to.equal('strict-origin-when-cross-origin');
    expect((await api.get('/sign-in/script.js')).headers.get('content-type')).to.match(/^text\/javascript/);
  });

  it('has a new nonce for each response', async () => {
    const nonce = async () => /nonce="([^"]+)"/.exec(String((await api.get('/sign-in')).body))?.[1];
    expect(await nonce()).not.to.equal(await nonce());
  });

  it('accepts only GET and POST', async () => {
    const { status, headers } = await api.call('DELETE', '/sign-in');
    expect([status, headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, POST, OPTIONS']);
  });

  describe("receives the form of Google's redirect mode", () => {
    const post = (fields: Record<string, string>, cookie = 'g_csrf_token=abc') =>
      api.call('POST', '/sign-in', {
        headers: {
          ...asBrowser,
          'content-type': 'application/x-www-form-urlencoded',
          cookie,
          'sec-fetch-site': 'cross-site',
        },
        body: new URLSearchParams(fields).toString(),
      });
    const sessions = async () => (await api.database.db('session').select('id')).length;

    it('begins a session and passes the credential to the page', async () => {
      const credential = await google.sign();
      const { status, headers, body } = await post(
        { credential, g_csrf_token: 'abc' },
        'x=1; g_csrf_token=abc',
      );
      expect(status).to.equal(200);
      expect(headers.getSetCookie()[0]).to.match(new RegExp(`^${sessionCookie}=.+; SameSite=Lax$`));
      expect(headers.get('cache-control')).to.equal('no-store');
      expect(body).to.include(`data-credential="${credential}"`);
      expect(await sessions()).to.equal(1);
    });

    // One case per line.
    // prettier-ignore
    const wrong: [name: string, status: number, sentence: RegExp, send: () => Promise<{ status: number; body: unknown; headers: Headers }>][] = [
      ['without the cookie', 400, /does not come from this page/, async () => post({ credential: await google.sign(), g_csrf_token: 'abc' }, 'x=1')],
      ['with another cookie', 400, /does not come from this page/, async () => post({ credential: await google.sign(), g_csrf_token: 'abc' }, 'g_csrf_token=abd')],
      ['without the token in the form', 400, /does not come from this page/, async () => post({ credential: await google.sign() })],
      ['with an empty token in both', 400, /does not come from this page/, async () => post({ credential: await google.sign(), g_csrf_token: '' }, 'g_csrf_token=')],
      ['without a credential', 400, /sent no credential/, () => post({ g_csrf_token: 'abc' })],
      ['with a credential that is not a token', 403, /malformed/, () => post({ credential: 'x', g_csrf_token: 'abc' })],
      ['by a visitor', 403, /visitor@example\.org is not on the staff list/, async () => post({ credential: await google.sign({ email: 'visitor@example.org' }), g_csrf_token: 'abc' })],
      ['with a body above the limit', 413, /too large/, () => post({ credential: 'x'.repeat(30_000), g_csrf_token: 'abc' })],
    ];
    for (const [name, status, sentence, send] of wrong) {
      it(`shows an error page and begins no session ${name}`, async () => {
        const answer = await send();
        expect(answer.status).to.equal(status);
        expect(answer.headers.get('content-type')).to.equal('text/html; charset=utf-8');
        expect(answer.body).to.match(sentence);
        expect(answer.headers.getSetCookie()).to.deep.equal([]);
        expect(await sessions()).to.equal(0);
      });
    }
  });
});

describe('the page /sign-in without a client id', () => {
  const api = useApi();

  it('names the variable to set', async () => {
    const { status, body } = await api.call('GET', '/sign-in', { headers: asBrowser });
    expect(status).to.equal(503);
    expect(body).to.include('map_app_google_client_id').and.to.include('GOOGLE_CLIENT_ID');
  });
});
