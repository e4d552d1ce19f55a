import { expect } from 'chai';
import { staffEmail, useApi } from '../testing/api.ts';
import { type Google, startGoogle } from '../testing/google.ts';
import { sessionCookie } from '../http/session-cookie.ts';
import { sessionCookies } from './session.ts';
import { staffStore } from './store.ts';
import { tokenVerifier } from './token.ts';

describe('sign-in', () => {
  let google: Google;
  before(async () => (google = await startGoogle()));
  const api = useApi(({ log }) => ({ verifyToken: tokenVerifier(google, log) }));
  after(() => google.close());

  const visitor = 'visitor@example.org';
  const store = () => staffStore(api.database.db, api.dependencies.staffEmails);

  const signIn = (credential: string) => api.post('/flask/auth', { credential });

  /** Signs in and returns the cookie that the browser sends from then on. */
  const cookieOf = async (email = staffEmail): Promise<string> => {
    const { headers } = await signIn(await google.sign({ email }));
    const [pair = ''] = headers.getSetCookie()[0]?.split(';') ?? [];
    expect(pair).to.match(new RegExp(`^${sessionCookie}=.`));
    return pair;
  };
  /** A request that only staff may send. */
  const act = (headers: Record<string, string>, name = 'num_released') =>
    api.call('POST', '/admin/count', { headers, body: { name, total: 1 } });

  describe('POST /flask/auth', () => {
    it("accepts the token in the body, with the other fields that Google's button sends", async () => {
      const body = { credential: await google.sign(), select_by: 'btn', clientId: google.clientId };
      const answer = await api.post('/flask/auth', body);
      expect(answer.status).to.equal(200);
      expect(answer.body).to.deep.equal({ authorized: true });
    });

    it('accepts the token as JSON in the Authorization header, and ignores the rest of it', async () => {
      const signInAs = async (email: string) => {
        const tokenObj = { id_token: await google.sign({ email }), access_token: 'x' };
        const profileObj = { name: 'Ann', email: staffEmail, googleId: '117' };
        const headers = { authorization: JSON.stringify({ tokenObj, profileObj }) };
        return api.call('POST', '/flask/auth', { headers });
      };
      const answer = await signInAs(staffEmail);
      expect(answer.body).to.deep.equal({ authorized: true });
      expect(answer.headers.getSetCookie()).to.have.length(1);
      expect((await signInAs(visitor)).body).to.deep.equal({ authorized: false });
    });

    it('sets a cookie only for this host, only over TLS, that scripts cannot read', async () => {
      const { headers } = await signIn(await google.sign());
      const [cookie = ''] = headers.getSetCookie();
      const [, ...attributes] = cookie.split('; ');
      expect(attributes).to.have.members([
        'Path=/',
        'HttpOnly',
        'Secure',
        'SameSite=Lax',
        `Max-Age=${12 * 3_600}`,
      ]);
      const { id } = (await api.database.db('session').first('id'))!;
      expect(cookie).not.to.include(id);
    });

    it('returns authorized: false to other accounts and sets no cookie', async () => {
      const { status, body, headers } = await signIn(await google.sign({ email: visitor }));
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ authorized: false });
      expect(headers.getSetCookie()).to.deep.equal([]);
    });

    it('accepts staff from the database, regardless of case', async () => {
      await store().add(visitor);
      expect((await signIn(await google.sign({ email: 'Visitor@Example.ORG' }))).body.authorized).to.equal(
        true,
      );
    });

    it('returns 403 and the reason for an invalid token', async () => {
      for (const token of [await google.sign({ email_verified: false }), 'noise']) {
        const { status, body, headers } = await signIn(token);
        expect(status).to.equal(403);
        expect(body).to.have.all.keys('success', 'message', 'error');
        expect(body.error).to.equal(body.message);
        expect(headers.getSetCookie()).to.deep.equal([]);
      }
    });

    const without: [name: string, call: { body?: unknown; headers?: Record<string, string> }][] = [
      ['nothing', {}],
      ['an empty body', { body: {} }],
      ['a header that is not JSON', { headers: { authorization: 'Bearer abc' } }],
      ['a header without a token', { headers: { authorization: '{"tokenObj": {}}' } }],
      ['a header of null', { headers: { authorization: 'null' } }],
      ['a token that is a number', { body: { credential: 7 } }],
    ];
    for (const [name, call] of without) {
      it(`returns 400 for ${name}`, async () => {
        const { status, body } = await api.call('POST', '/flask/auth', call);
        expect(status).to.equal(400);
        expect(body).to.have.all.keys('success', 'message');
      });
    }

    it('logs the address that signs in, but never a token', async () => {
      const token = await google.sign();
      await signIn(token);
      expect(api.log.entries).to.deep.include({ level: 'info', message: 'signed in', email: staffEmail });
      expect(JSON.stringify(api.log.entries)).not.to.include(token.split('.')[1]);
    });

    it('deletes expired sessions', async () => {
      await cookieOf();
      await api.database.db('session').update({ expires_at: new Date(0) });
      await cookieOf();
      expect(await api.database.db('session').count()).to.deep.equal([{ count: 1 }]);
    });
  });

  describe('a request that only staff may send', () => {
    it('is accepted with a session among other cookies, and logged', async () => {
      const { status, headers } = await act({ cookie: `a=b; ${await cookieOf()}; c=d` });
      expect(status).to.equal(200);
      expect(headers.get('cache-control')).to.equal('no-store');
      expect(api.log.entries.at(-1)).to.include({
        message: 'staff call',
        method: 'post',
        route: '/admin/count',
        email: staffEmail,
      });
    });

    it('is accepted with an ID token', async () => {
      const token = await google.sign();
      // The name of the scheme is case-insensitive (RFC 9110, 11.1).
      for (const scheme of ['Bearer', 'bearer', 'BEARER'])
        expect((await act({ authorization: `${scheme} ${token}` }, scheme)).status).to.equal(200);
    });

    it('is rejected with the ID token of another account: 403', async () => {
      const { status } = await act({ authorization: `Bearer ${await google.sign({ email: visitor })}` });
      expect(status).to.equal(403);
    });

    it('is rejected with an invalid ID token, even with a session: 401', async () => {
      const { status } = await act({ authorization: 'Bearer noise', cookie: await cookieOf() });
      expect(status).to.equal(401);
    });

    it('is rejected without either: 401, before the body is read', async () => {
      const answer = await api.call('POST', '/admin/count', { body: '{"name":' });
      expect(answer.status).to.equal(401);
      expect(answer.headers.get('www-authenticate')).to.equal('Bearer');
    });

    const sealedWith = async (key: Uint8Array, id: string) =>
      (await sessionCookies(key).grant(id)).split(';')[0] ?? '';

    it('is rejected with a forged cookie: 401', async () => {
      await cookieOf();
      const { id } = (await api.database.db('session').first('id'))!;
      const forged = [
        `${sessionCookie}=`,
        `${sessionCookie}=${id}`,
        `session=${(await cookieOf()).slice(sessionCookie.length + 1)}`,
        await sealedWith(Buffer.alloc(32, 8), id),
      ];
      for (const cookie of forged) expect((await act({ cookie })).status, cookie).to.equal(401);
      const { sessionKey } = api.dependencies;
      expect((await act({ cookie: await sealedWith(sessionKey, id) })).status).to.equal(200);
    });

    it('is rejected with a modified cookie: 401', async () => {
      const parts = (await cookieOf()).split('.');
      for (const place of [2, 3, 4]) {
        const changed = parts.with(
          place,
          (parts[place] ?? '').replace(/./, (c) => (c === 'A' ? 'B' : 'A')),
        );
        expect((await act({ cookie: changed.join('.') })).status).to.equal(401);
      }
    });

    it('is rejected with an expired session: 401', async () => {
      const cookie = await cookieOf();
      await api.database.db('session').update({ expires_at: new Date(Date.now() - 1) });
      expect((await act({ cookie })).status).to.equal(401);
    });

    it('is rejected after the account was removed from the staff list: 403', async () => {
      await store().add(visitor);
      const cookie = await cookieOf(visitor);
      expect((await act({ cookie }, 'before')).status).to.equal(200);
      await api.database.db('staff').delete();
      expect((await act({ cookie }, 'after')).status).to.equal(403);
    });

    it('is rejected with an old session after the account was removed and added again: 401', async () => {
      await store().add(visitor);
      const cookie = await cookieOf(visitor);
      await store().remove(visitor);
      await store().add(visitor);
      expect((await act({ cookie })).status).to.equal(401);
    });
  });

  describe('DELETE /api/session', () => {
    it('ends the session of the cookie, and no other', async () => {
      const [mine, other] = [await cookieOf(), await cookieOf()];
      const { status, headers } = await api.call('DELETE', '/api/session', { headers: { cookie: mine } });
      expect(status).to.equal(200);
      expect(headers.getSetCookie()[0]).to.match(
        new RegExp(`^${sessionCookie}=; Max-Age=0; Path=/; .*Secure`),
      );
      expect((await act({ cookie: mine })).status).to.equal(401);
      expect((await act({ cookie: other })).status).to.equal(200);
    });

    it('may be called without a session', async () => {
      expect((await api.call('DELETE', '/api/session')).status).to.equal(200);
    });
  });

  describe('a request with a session cookie', () => {
    const elsewhere: Record<string, Record<string, string>> = {
      'a page of another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.org' },
      'another host of this site': { 'sec-fetch-site': 'same-site' },
      'another origin, in an old browser': { origin: 'https://evil.example.org' },
      'another port, in an old browser': { origin: 'http://127.0.0.1:1' },
      'a page without an origin': { origin: 'null' },
    };
    for (const [name, headers] of Object.entries(elsewhere)) {
      it(`is rejected from ${name}: 403`, async () => {
        const cookie = await cookieOf();
        const { status, body } = await act({ ...headers, cookie });
        expect(status).to.equal(403);
        expect(body.message).to.match(/same site/);
        expect(
          (await api.call('DELETE', '/api/session', { headers: { ...headers, cookie } })).status,
        ).to.equal(403);
        expect((await act({ cookie })).status).to.equal(200);
      });
    }

    it('is accepted from a page of this site, and from clients that are not browsers', async () => {
      const cookie = await cookieOf();
      for (const [index, headers] of [
        { 'sec-fetch-site': 'same-origin', origin: api.address },
        { 'sec-fetch-site': 'none' },
        { origin: api.address },
        {},
      ].entries()) {
        expect((await act({ ...headers, cookie }, `count-${index}`)).status).to.equal(200);
      }
    });

    it('is accepted from any site if it changes nothing', async () => {
      const headers = { 'sec-fetch-site': 'cross-site', cookie: await cookieOf() };
      expect((await api.call('GET', '/admin/count', { headers })).status).to.equal(200);
    });

    it('is subject to the rules for origins if the cookie is missing', async () => {
      const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://kiosk.example.org' };
      const { status } = await api.call('POST', '/api/geocoder', { headers, body: { lat: 34, long: -118 } });
      expect(status).to.equal(200);
    });
  });
});

describe('sign-in without a Google client id', () => {
  const nothingSetUp = {
    clientId: null,
    keysUrl: '',
    hostedDomains: new Set<string>(),
    listed: new Set<string>(),
  };
  const api = useApi(({ log }) => ({ verifyToken: tokenVerifier(nothingSetUp, log) }));

  it('returns 503 and names the missing variable', async () => {
    for (const call of [
      () => api.post('/flask/auth', { credential: 'x' }),
      () => api.call('POST', '/admin/count', { headers: { authorization: 'Bearer x' }, body: {} }),
    ]) {
      const { status, body } = await call();
      expect(status).to.equal(503);
      expect(body).to.deep.equal({
        success: false,
        message: 'Sign-in is not possible here: GOOGLE_CLIENT_ID is not set.',
      });
    }
  });
});
