import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { staffEmail } from './api.ts';

export type SigningKey = Awaited<ReturnType<typeof newKey>>;

/**
 * A stand-in for Google: signs ID tokens, publishes its keys over HTTP and counts how often they are fetched. Tests may
 * change every field that is not a function.
 */
export type Google = {
  clientId: string;
  keysUrl: string;
  hostedDomains: ReadonlySet<string>;
  listed: ReadonlySet<string>;
  /** The signing key. */
  key: SigningKey;
  published: SigningKey[];
  /** The status of the response with the keys. */
  status: number;
  /** Sent instead of the keys. */
  body: string | null;
  /** Whether requests for the keys get no response. */
  hangs: boolean;
  headers: Record<string, string>;
  fetches: number;
  /** Returns a valid ID token with some claims changed. `at` is its time in milliseconds. */
  sign(changes?: Claims, by?: { key?: SigningKey; at?: number }): Promise<string>;
  close(): void;
};

export type Claims = Record<string, unknown>;

let made = 0;

export async function newKey(alg = 'RS256') {
  const kid = `key-${++made}`;
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    kid,
    publicKey,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
  };
}

export async function startGoogle(): Promise<Google> {
  const server = createServer((_request, response) => {
    google.fetches++;
    if (google.hangs) return;
    response.writeHead(google.status, { 'content-type': 'application/json', ...google.headers });
    response.end(google.body ?? JSON.stringify({ keys: google.published.map(({ jwk }) => jwk) }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const key = await newKey();
  const google: Google = {
    clientId: '1234.apps.googleusercontent.com',
    keysUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/certs`,
    hostedDomains: new Set(),
    listed: new Set(),
    key,
    published: [key],
    status: 200,
    body: null,
    hangs: false,
    headers: { 'cache-control': 'public, max-age=3600, must-revalidate' },
    fetches: 0,
    sign: (changes = {}, { key = google.key, at = Date.now() } = {}) =>
      new SignJWT({ ...usual(Math.floor(at / 1000)), aud: google.clientId, ...changes })
        .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'JWT' })
        .sign(key.privateKey),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return google;
}

function usual(iat: number): Claims {
  const iss = 'https://accounts.google.com';
  return {
    iss,
    sub: '117',
    email: staffEmail,
    email_verified: true,
    hd: 'example.org',
    iat,
    exp: iat + 3600,
  };
}
