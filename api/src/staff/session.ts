import { CompactEncrypt, compactDecrypt } from 'jose';
import { sessionCookie } from '../http/session-cookie.ts';
import { sessionHours } from './store.ts';

const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax';

/** Creates and reads the cookie that contains a session id, encrypted with a 32-byte key. */
export type SessionCookies = ReturnType<typeof sessionCookies>;

export function sessionCookies(key: Uint8Array) {
  return {
    /** Returns the Set-Cookie header that starts a session. */
    async grant(id: string): Promise<string> {
      const sealed = await new CompactEncrypt(Buffer.from(id))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key);
      return `${sessionCookie}=${sealed}; Max-Age=${sessionHours * 3600}; ${attributes}`;
    },

    /** The Set-Cookie header that deletes the cookie. */
    revoke: () => `${sessionCookie}=; Max-Age=0; ${attributes}`,

    /**
     * Returns the session id from the Cookie header. Null if there is none, or if it was not encrypted with this key.
     */
    async read(header: string | undefined): Promise<string | null> {
      const sealed = sealedIn(header);
      if (!sealed) return null;
      try {
        const { plaintext } = await compactDecrypt(sealed, key, {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return Buffer.from(plaintext).toString();
      } catch {
        return null;
      }
    },
  };
}

/** Returns the session cookie from the Cookie header, if present. */
export const sealedIn = (header: string | undefined): string | undefined => cookieIn(header, sessionCookie);

/** Returns the value of the first cookie with this name in the Cookie header. */
export function cookieIn(header: string | undefined, name: string): string | undefined {
  const start = `${name}=`;
  const pairs = header?.split(';').map((pair) => pair.trim());
  return pairs?.find((pair) => pair.startsWith(start))?.slice(start.length);
}
