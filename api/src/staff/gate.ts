import type { IncomingMessage } from 'node:http';
import { forbidden, unauthorized } from '../http/errors.ts';
import type { StaffGate } from '../http/route.ts';
import type { Log } from '../log.ts';
import type { SessionCookies } from './session.ts';
import type { StaffStore } from './store.ts';
import { BadToken, type VerifyToken } from './token.ts';

/** The dependencies of sign-in. */
export type SignIn = { store: StaffStore; cookies: SessionCookies; verifyToken: VerifyToken };

/**
 * Verifies an ID token and begins a session. `cookie` is null if the address is not on the staff list. Throws
 * `BadToken`, or 503.
 */
export async function beginSession(
  { store, cookies, verifyToken }: SignIn,
  log: Log,
  token: string,
): Promise<{ email: string; cookie: string | null }> {
  const email = await verifyToken(token);
  if (!(await store.isStaff(email))) return { email, cookie: null };
  const cookie = await cookies.grant(await store.begin(email));
  log.info('signed in', { email });
  return { email, cookie };
}

/** Authorizes requests of current staff members, by an ID token or by the session cookie. */
export function staffGate({ store, cookies, verifyToken }: SignIn): StaffGate {
  return async (request) => {
    const token = bearerToken(request);
    const { email, isStaff } = token ? await byToken(token) : await bySession(request.headers.cookie);
    if (!isStaff) throw forbidden('You are signed in, but not on the staff list.');
    return { email };
  };

  async function byToken(token: string) {
    try {
      const email = await verifyToken(token);
      return { email, isStaff: await store.isStaff(email) };
    } catch (error) {
      throw error instanceof BadToken ? unauthorized(error.message) : error;
    }
  }

  async function bySession(header: string | undefined) {
    const id = await cookies.read(header);
    const session = id && (await store.find(id));
    if (!session) throw unauthorized('Only staff may do this: please sign in.');
    return session;
  }
}

function bearerToken({ headers: { authorization = '' } }: IncomingMessage): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1];
}
