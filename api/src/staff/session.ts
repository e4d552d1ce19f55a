import { CompactEncrypt, compactDecrypt } from 'jose';
import { sessionHours } from './store.ts';

/** The prefix has browsers refuse the cookie without Secure, with a domain, or for less than all paths: no other host can plant it. */
export const sessionCookie = '__Host-session';

const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax';

/** Makes and reads the cookie that carries a session's id, encrypted with a key of 32 bytes. */
export type SessionCookies = ReturnType<typeof sessionCookies>;

export function sessionCookies(key: Uint8Array) {
  return {
    /** The header that hands a browser its session. */
    async grant(id: string): Promise<string> {
      const sealed = await new CompactEncrypt(Buffer.from(id))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key);
      return `${sessionCookie}=${sealed}; Max-Age=${sessionHours * 3600}; ${attributes}`;
    },

    /** The header that has a browser forget it. */
    revoke: () => `${sessionCookie}=; Max-Age=0; ${attributes}`,

    /** The id in the header Cookie; null without one, or with one that was not made here. */
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

/** The session cookie in the header Cookie, if it is there. */
export const sealedIn = (header: string | undefined): string | undefined => cookieIn(header, sessionCookie);

/** The value of the first cookie of this name in the header Cookie. */
export function cookieIn(header: string | undefined, name: string): string | undefined {
  const start = `${name}=`;
  const pairs = header?.split(';').map((pair) => pair.trim());
  return pairs?.find((pair) => pair.startsWith(start))?.slice(start.length);
}
