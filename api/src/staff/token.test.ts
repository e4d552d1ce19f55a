import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { exportSPKI, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose';
import { staffEmail } from '../testing/api.ts';
import { type Claims, type Google, newKey, startGoogle } from '../testing/google.ts';
import { memoryLog } from '../testing/log.ts';
import { BadToken, tokenVerifier, type VerifyToken } from './token.ts';

const noon = Date.UTC(2026, 5, 1, 12);
const minute = 60_000;

describe('tokenVerifier', () => {
  let google: Google;
  let verify: VerifyToken;
  let now: number;
  const log = memoryLog();
  beforeEach(async function () {
    this.timeout(30_000);
    google = await startGoogle();
    now = noon;
    log.entries.length = 0;
    verify = tokenVerifier(google, log, () => now);
  });
  afterEach(() => google.close());

  /** Returns the message with which a token is rejected. */
  const refusal = async (token: string): Promise<string> => {
    const error = await verify(token).then(
      (email) => new Error(`${email} was accepted.`),
      (error: Error) => error,
    );
    if (!(error instanceof BadToken)) throw error;
    return error.message;
  };
  const signed = (changes?: Claims) => google.sign(changes, { at: now });
  /** Returns a token of a valid sign-in with any header, signed with any key. */
  const signedAs = (header: JWTHeaderParameters, key: CryptoKey | Uint8Array) =>
    new SignJWT({ email: staffEmail, email_verified: true })
      .setProtectedHeader(header)
      .setIssuer('accounts.google.com')
      .setAudience(google.clientId)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key);

  describe('accepts a token', () => {
    for (const iss of ['https://accounts.google.com', 'accounts.google.com']) {
      it(`of ${iss}`, async () => {
        expect(await verify(await signed({ iss }))).to.equal(staffEmail);
      });
    }

    it('and returns its address in lower case', async () => {
      expect(await verify(await signed({ email: 'Staff@Example.org' }))).to.equal(staffEmail);
    });

    it('of gmail.com, of the domain that Google hosts, of a configured one, or of a listed address', async () => {
      const { hostedDomains, listed } = {
        hostedDomains: new Set(['centre.example']),
        listed: new Set(['ann@isp.example']),
      };
      verify = tokenVerifier({ ...google, hostedDomains, listed }, log, () => now);
      for (const [email, hd] of [
        ['ann@gmail.com', undefined],
        ['ann@example.org', 'example.org'],
        ['ann@example.org', 'Example.org'],
        ['ann@other.example', 'centre.example'],
        ['Ann@isp.example', undefined],
      ] as const) {
        expect(await verify(await signed({ email, hd })), email).to.equal(email.toLowerCase());
      }
    });

    it('whose clock is a few seconds off', async () => {
      const seconds = noon / 1000;
      expect(await verify(await signed({ exp: seconds - 20 }))).to.equal(staffEmail);
      expect(await verify(await signed({ nbf: seconds + 20, iat: seconds + 20 }))).to.equal(staffEmail);
    });
  });

  describe('rejects a token', () => {
    const ago = (minutes: number) => noon / 1000 - minutes * 60;
    const claims: [name: string, changes: Claims, sentence: RegExp][] = [
      ['of another issuer', { iss: 'https://accounts.example.com' }, /claim "iss"/],
      [
        'of an issuer that only shares a prefix',
        { iss: 'https://accounts.google.com.evil.org' },
        /claim "iss"/,
      ],
      ['without an issuer', { iss: undefined }, /claim "iss"/],
      ['for another application', { aud: '5678.apps.googleusercontent.com' }, /claim "aud"/],
      ['for no application', { aud: undefined }, /claim "aud"/],
      ['that has expired', { iat: ago(61), exp: ago(1) }, /has expired/],
      ['that never expires', { exp: undefined }, /claim "exp"/],
      ['that is not valid yet', { nbf: ago(-2) }, /claim "nbf"/],
      ['from the future', { iat: ago(-2), exp: ago(-60) }, /claim "iat"/],
      ['issued days ago, even if it has not expired', { iat: ago(3000) }, /has expired/],
      ['without its time of issue', { iat: undefined }, /claim "iat"/],
      ['whose address is not verified', { email_verified: false }, /has not verified/],
      ['whose email_verified is a string', { email_verified: 'true' }, /has not verified/],
      ['without email_verified', { email_verified: undefined }, /has not verified/],
      ['of an address that Google does not host', { hd: undefined }, /does not host .* STAFF_EMAILS/],
      ['of a domain that Google hosts for others', { hd: 'example.com' }, /does not host/],
      ['of a subdomain of the hosted one', { email: 'a@x.example.org' }, /does not host/],
      ['whose domain only ends in gmail.com', { email: 'a@notgmail.com', hd: undefined }, /does not host/],
      ['whose hosted domain is a list', { hd: ['example.org'] }, /does not host/],
      ['without an address', { email: undefined }, /contains no e-mail address/],
      ['whose address is a list', { email: [staffEmail] }, /contains no e-mail address/],
      ['with two addresses', { email: `${staffEmail},evil@example.org` }, /contains no e-mail address/],
    ];
    for (const [name, changes, sentence] of claims) {
      it(name, async () => {
        expect(await refusal(await signed(changes))).to.match(sentence);
      });
    }

    const forged = /not signed by Google/;

    it('signed by another key with the same key id', async () => {
      const other = { ...(await newKey()), kid: google.key.kid };
      expect(await refusal(await google.sign({}, { key: other, at: now }))).to.match(forged);
    });

    it('that contains its own key', async () => {
      const other = await newKey();
      const token = await signedAs(
        { alg: 'RS256', kid: google.key.kid, jwk: other.jwk, jku: 'https://evil.example/' },
        other.privateKey,
      );
      expect(await refusal(token)).to.match(forged);
    });

    it('without a signature (alg none)', async () => {
      const token = new UnsecuredJWT({ email: staffEmail, email_verified: true })
        .setIssuer('accounts.google.com')
        .setAudience(google.clientId)
        .setIssuedAt()
        .setExpirationTime('1h')
        .encode();
      expect(await refusal(token)).to.match(forged);
      expect(google.fetches).to.equal(0);
    });

    it('signed with the public key as a shared secret (HS256)', async () => {
      const secret = Buffer.from(await exportSPKI(google.key.publicKey));
      const token = await signedAs({ alg: 'HS256', kid: google.key.kid }, secret);
      expect(await refusal(token)).to.match(forged);
    });

    it('signed by a published key with another algorithm than RS256', async () => {
      const other = await newKey('RS512');
      google.published.push(other);
      const token = await signedAs({ alg: 'RS512', kid: other.kid }, other.privateKey);
      expect(await refusal(token)).to.match(forged);
    });

    it('whose content was changed', async () => {
      const [header, payload = '', signature] = (await signed({ email: 'visitor@example.org' })).split('.');
      const content = Buffer.from(payload, 'base64url').toString().replace('visitor@example.org', staffEmail);
      expect(content).to.include(staffEmail);
      const token = [header, Buffer.from(content).toString('base64url'), signature].join('.');
      expect(await refusal(token)).to.match(forged);
    });

    it('whose signature is truncated', async () => {
      expect(await refusal((await signed()).replace(/[^.]*$/, ''))).to.match(forged);
    });

    for (const [name, token] of [
      ['that is empty', ''],
      ['that is not a JWT', 'a.b.c'],
      ['that is an address', staffEmail],
    ] as const) {
      it(name, async () => {
        expect(await refusal(token)).to.match(/malformed/);
        expect(google.fetches).to.equal(0);
      });
    }
  });

  describe('fetches the keys', () => {
    it('once for concurrent requests, and not again until they expire', async () => {
      const tokens = await Promise.all(Array.from({ length: 10 }, () => signed()));
      await Promise.all(tokens.map(verify));
      now += 59 * minute;
      await verify(await signed());
      expect(google.fetches).to.equal(1);
    });

    /** A background fetch takes a moment. */
    const fetched = async (times: number) => {
      for (let turn = 0; turn < 500 && google.fetches < times; turn++) await wait(10);
      await wait(20);
      expect(google.fetches).to.equal(times);
    };

    it('again when the cache lifetime of the response is over', async () => {
      google.headers['age'] = String(50 * 60);
      await verify(await signed());
      now += 11 * minute;
      await verify(await signed());
      await fetched(2);
    });

    it('after five minutes if the response specifies no lifetime', async () => {
      google.headers = {};
      await verify(await signed());
      now += 4 * minute;
      await verify(await signed());
      expect(google.fetches).to.equal(1);
      now += 2 * minute;
      await verify(await signed());
      await fetched(2);
    });

    it('at most twice a minute even if the response forbids caching', async () => {
      google.headers = { 'cache-control': 'no-store' };
      for (let call = 0; call < 10; call++) {
        await verify(await signed());
        await wait(20);
        now += 12_000;
      }
      await fetched(4);
    });

    it('again for a new key', async () => {
      await verify(await signed());
      google.key = await newKey();
      google.published.push(google.key);
      now += minute;
      expect(await verify(await signed())).to.equal(staffEmail);
      await verify(await signed());
      expect(google.fetches).to.equal(2);
    });

    it('once for an unpublished key, and then not for a while', async () => {
      await verify(await signed());
      const stranger = await newKey();
      now += minute;
      for (let call = 0; call < 5; call++) {
        expect(await refusal(await google.sign({}, { key: stranger, at: now }))).to.match(
          /not signed by Google/,
        );
      }
      expect(google.fetches).to.equal(2);
    });

    it('and drops keys that are no longer published', async () => {
      const old = google.key;
      await verify(await signed());
      google.key = await newKey();
      google.published = [google.key];
      now += 61 * minute;
      expect(await verify(await signed())).to.equal(staffEmail);
      expect(await refusal(await google.sign({}, { key: old, at: now }))).to.match(/not signed by Google/);
    });

    it('and if that fails returns 503, logs the cause, and recovers', async () => {
      google.status = 500;
      const error = await verify(await signed()).catch((error: unknown) => error);
      expect(error).to.include({ status: 503, expose: true });
      expect((error as Error).message).to.match(/^Sign-in is not possible at the moment: .*\.$/);
      expect(log.entries).to.have.length(1);
      expect(log.entries[0]).to.include({ level: 'error', cause: 'The response has the status 500.' });
      google.status = 200;
      now += 11_000;
      expect(await verify(await signed())).to.equal(staffEmail);
    });

    it('once in ten seconds if the fetch fails, without delaying other sign-ins', async () => {
      google.status = 500;
      for (let call = 0; call < 5; call++) {
        expect(await verify(await signed()).catch((error: unknown) => error)).to.include({ status: 503 });
      }
      expect(google.fetches).to.equal(1);
      now += 9_999;
      expect(await verify(await signed()).catch((error: unknown) => error)).to.include({ status: 503 });
      expect(google.fetches).to.equal(1);
      now += 1;
      await verify(await signed()).catch(() => undefined);
      expect(google.fetches).to.equal(2);
    });

    it('once in ten seconds if that fails while the last keys are in use', async () => {
      await verify(await signed());
      google.status = 500;
      now += 61 * minute;
      for (let call = 0; call < 3; call++) {
        await verify(await signed());
        await wait(50);
      }
      await fetched(2);
      now += 10_000;
      await verify(await signed());
      await fetched(3);
    });

    it('only from the configured URL, not from another one to which it redirects', async () => {
      const other = await startGoogle();
      other.published = google.published;
      google.status = 302;
      google.headers['location'] = other.keysUrl;
      const error = await verify(await signed()).catch((caught: unknown) => caught);
      other.close();
      expect(error).to.include({ status: 503 });
      expect(other.fetches).to.equal(0);
    });

    it('for at most five seconds @slow', async () => {
      google.hangs = true;
      const started = performance.now();
      expect(await verify(await signed()).catch((error: unknown) => error)).to.include({ status: 503 });
      expect(performance.now() - started).to.be.within(4_900, 9_000);
    }).timeout(20_000);
  });

  describe('keeps using the last keys', () => {
    const outages: [name: string, begin: () => void][] = [
      ['answers 500', () => (google.status = 500)],
      ['answers HTML', () => (google.body = '<html>')],
      ['returns no keys', () => (google.published = [])],
      ['does not respond', () => (google.hangs = true)],
    ];
    for (const [name, begin] of outages) {
      it(`for hours, without waiting, while the key server ${name}`, async () => {
        await verify(await signed());
        begin();
        for (const minutes of [61, 1, 300, 300]) {
          now += minutes * minute;
          const started = performance.now();
          expect(await verify(await signed())).to.equal(staffEmail);
          expect(performance.now() - started).to.be.lessThan(1_000);
        }
        expect(google.fetches).to.be.greaterThan(1);
      });
    }

    it('for at most twelve hours, then uses new ones at once', async () => {
      await verify(await signed());
      google.status = 500;
      now += 12 * 60 * minute + minute;
      expect(await verify(await signed()).catch((error: unknown) => error)).to.include({ status: 503 });
      google.status = 200;
      now += 11_000;
      expect(await verify(await signed())).to.equal(staffEmail);
    });
  });

  it('returns 503 if the key server is down, or the response is not a key set', async () => {
    google.headers['content-encoding'] = 'gzip';
    for (const keysUrl of ['http://127.0.0.1:1/certs', google.keysUrl]) {
      const verify = tokenVerifier({ ...google, keysUrl }, log);
      expect(await verify(await signed()).catch((error: unknown) => error)).to.include({ status: 503 });
    }
  });

  it('returns 503 without a Google client id', async () => {
    const verify = tokenVerifier({ ...google, clientId: null }, log);
    const error = await verify(await signed()).catch((error: unknown) => error);
    expect(error).to.include({
      status: 503,
      message: 'Sign-in is not possible here: GOOGLE_CLIENT_ID is not set.',
    });
  });
});
