import { expect } from 'chai';
import { staffEmail, useApi } from '../testing/api.ts';
import { type Google, startGoogle } from '../testing/google.ts';
import { sessionCookie, sessionCookies } from './session.ts';
import { sessionHours, staffStore } from './store.ts';
import { tokenVerifier } from './token.ts';

describe('signing in', () => {
  let google: Google;
  before(async () => (google = await startGoogle()));
  const api = useApi(({ log }) => ({ verifyToken: tokenVerifier(google, log) }));
  after(() => google.close());

  const visitor = 'visitor@example.org';
  const store = () => staffStore(api.database.db, api.dependencies.staffEmails);

  const signIn = (credential: string) => api.post('/flask/auth', { credential });

  /** What a browser sends from now on. */
  const cookieOf = async (email = staffEmail): Promise<string> => {
    const { headers } = await signIn(await google.sign({ email }));
    const [pair = ''] = headers.getSetCookie()[0]?.split(';') ?? [];
    expect(pair).to.match(new RegExp(`^${sessionCookie}=.`));
    return pair;
  };
  /** Something that only the staff may do. */
  const act = (headers: Record<string, string>, name = 'num_released') =>
    api.call('POST', '/admin/count', { headers, body: { name, total: 1 } });

  describe('POST /flask/auth', () => {
    it("takes the token in the body, with whatever else Google's button hands over", async () => {
      const body = { credential: await google.sign(), select_by: 'btn', clientId: google.clientId };
      const answer = await api.post('/flask/auth', body);
      expect(answer.status).to.equal(200);
      expect(answer.body).to.deep.equal({ authorized: true });
    });

    it('takes the token in JSON in the header Authorization, and believes nothing else in it', async () => {
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

    it('sets a cookie for this host alone, over TLS alone, that no script can read', async () => {
      const { headers } = await signIn(await google.sign());
      const [cookie = ''] = headers.getSetCookie();
      const [, ...attributes] = cookie.split('; ');
      expect(attributes).to.have.members([
        'Path=/',
        'HttpOnly',
        'Secure',
        'SameSite=Lax',
        `Max-Age=${sessionHours * 3600}`,
      ]);
      const { id } = (await api.database.db('session').first('id'))!;
      expect(cookie).not.to.include(id);
    });

    it('answers authorized false to everybody else, and sets no cookie', async () => {
      const { status, body, headers } = await signIn(await google.sign({ email: visitor }));
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ authorized: false });
      expect(headers.getSetCookie()).to.deep.equal([]);
    });

    it('knows the staff in the database, in capital letters too', async () => {
      await store().add(visitor);
      expect((await signIn(await google.sign({ email: 'Visitor@Example.ORG' }))).body.authorized).to.equal(
        true,
      );
    });

    it('answers 403 with the error to a token that is no good', async () => {
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
      it(`answers 400 to ${name}`, async () => {
        const { status, body } = await api.call('POST', '/flask/auth', call);
        expect(status).to.equal(400);
        expect(body).to.have.all.keys('success', 'message');
      });
    }

    it('logs who signs in, and never a token', async () => {
      const token = await google.sign();
      await signIn(token);
      expect(api.log.entries).to.deep.include({ level: 'info', message: 'signed in', email: staffEmail });
      expect(JSON.stringify(api.log.entries)).not.to.include(token.split('.')[1]);
    });

    it('forgets sessions that have ended', async () => {
      await cookieOf();
      await api.database.db('session').update({ expires_at: new Date(0) });
      await cookieOf();
      expect(await api.database.db('session').count()).to.deep.equal([{ count: 1 }]);
    });
  });

  describe('what only the staff may do', () => {
    it('is done with a session, among other cookies, and logged', async () => {
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

    it('is done with an ID token', async () => {
      expect((await act({ authorization: `Bearer ${await google.sign()}` })).status).to.equal(200);
    });

    it('is done with an ID token by nobody else: 403', async () => {
      const { status } = await act({ authorization: `Bearer ${await google.sign({ email: visitor })}` });
      expect(status).to.equal(403);
    });

    it('is not done with a bad ID token, even beside a session: 401', async () => {
      const { status } = await act({ authorization: 'Bearer noise', cookie: await cookieOf() });
      expect(status).to.equal(401);
    });

    it('is not done without either: 401, before a look at the body', async () => {
      const answer = await api.call('POST', '/admin/count', { body: '{"name":' });
      expect(answer.status).to.equal(401);
      expect(answer.headers.get('www-authenticate')).to.equal('Bearer');
    });

    const sealedWith = async (key: Uint8Array, id: string) =>
      (await sessionCookies(key).grant(id)).split(';')[0] ?? '';

    it('is not done with a cookie that was not made here: 401', async () => {
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

    it('is not done with a cookie that was changed: 401', async () => {
      const parts = (await cookieOf()).split('.');
      for (const place of [2, 3, 4]) {
        const changed = parts.with(
          place,
          (parts[place] ?? '').replace(/./, (c) => (c === 'A' ? 'B' : 'A')),
        );
        expect((await act({ cookie: changed.join('.') })).status).to.equal(401);
      }
    });

    it('is not done with a session that has expired: 401', async () => {
      const cookie = await cookieOf();
      await api.database.db('session').update({ expires_at: new Date(Date.now() - 1) });
      expect((await act({ cookie })).status).to.equal(401);
    });

    it('is not done any more by who was staff when the session began: 403', async () => {
      await store().add(visitor);
      const cookie = await cookieOf(visitor);
      expect((await act({ cookie }, 'before')).status).to.equal(200);
      await api.database.db('staff').delete();
      expect((await act({ cookie }, 'after')).status).to.equal(403);
    });

    it('is not done with the old session by who was removed and added again: 401', async () => {
      await store().add(visitor);
      const cookie = await cookieOf(visitor);
      await store().remove(visitor);
      await store().add(visitor);
      expect((await act({ cookie })).status).to.equal(401);
    });
  });

  describe('DELETE /api/session', () => {
    it('ends the session for whoever has its cookie, and no other', async () => {
      const [mine, other] = [await cookieOf(), await cookieOf()];
      const { status, headers } = await api.call('DELETE', '/api/session', { headers: { cookie: mine } });
      expect(status).to.equal(200);
      expect(headers.getSetCookie()[0]).to.match(
        new RegExp(`^${sessionCookie}=; Max-Age=0; Path=/; .*Secure`),
      );
      expect((await act({ cookie: mine })).status).to.equal(401);
      expect((await act({ cookie: other })).status).to.equal(200);
    });

    it('may be called by who is not signed in', async () => {
      expect((await api.call('DELETE', '/api/session')).status).to.equal(200);
    });
  });

  describe('a call that carries the session', () => {
    const elsewhere: Record<string, Record<string, string>> = {
      'a page of another site': { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.org' },
      'another host of this site': { 'sec-fetch-site': 'same-site' },
      'another origin, in an old browser': { origin: 'https://evil.example.org' },
      'another port, in an old browser': { origin: 'http://127.0.0.1:1' },
      'a page without an origin': { origin: 'null' },
    };
    for (const [name, headers] of Object.entries(elsewhere)) {
      it(`is refused from ${name}: 403`, async () => {
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

    it('is taken from a page of this site, and from what is no browser', async () => {
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

    it('is taken from anywhere if it changes nothing', async () => {
      const headers = { 'sec-fetch-site': 'cross-site', cookie: await cookieOf() };
      expect((await api.call('GET', '/admin/count', { headers })).status).to.equal(200);
    });

    it('is no matter for calls without it: those follow the rules for origins', async () => {
      const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://kiosk.example.org' };
      const { status } = await api.call('POST', '/api/geocoder', { headers, body: { lat: 34, long: -118 } });
      expect(status).to.equal(200);
    });
  });
});

describe('signing in where Google is not set up', () => {
  const nothingSetUp = {
    clientId: null,
    keysUrl: '',
    hostedDomains: new Set<string>(),
    listed: new Set<string>(),
  };
  const api = useApi(({ log }) => ({ verifyToken: tokenVerifier(nothingSetUp, log) }));

  it('answers 503 and says what is missing', async () => {
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
