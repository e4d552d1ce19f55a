import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { GoogleSettings } from '../config.ts';
import { unavailable } from '../http/errors.ts';
import type { Log } from '../log.ts';
import { settingName } from '../setting-name.ts';
import { emailAddress } from '../email.ts';
import { publishedKeys } from './key-set.ts';

/** An ID token is invalid. The message is one sentence with the reason. */
export class BadToken extends Error {}

/**
 * Resolves to the verified address of an ID token, in lower case. Throws `BadToken`, or 503 if no token can be
 * verified.
 */
export type VerifyToken = (token: string) => Promise<string>;

/**
 * The requirements of https://developers.google.com/identity/gsi/web/guides/verify-google-id-token. Google signs only
 * with RS256.
 */
const demands = {
  algorithms: ['RS256'],
  issuer: ['https://accounts.google.com', 'accounts.google.com'],
  requiredClaims: ['exp', 'iat'],
  maxTokenAge: '1 day',
  clockTolerance: '30 s',
};

/** Verifies ID tokens that Google issued for the application `clientId`. `now` returns milliseconds. */
export function tokenVerifier(settings: GoogleSettings, log: Log, now: () => number = Date.now): VerifyToken {
  const { clientId, keysUrl } = settings;
  if (clientId === null) {
    return async () => {
      throw unavailable(`Sign-in is not possible here: ${settingName('GOOGLE_CLIENT_ID')} is not set.`);
    };
  }
  const keys = publishedKeys(keysUrl, log, now);
  return async (token) => {
    const options = { ...demands, audience: clientId, currentDate: new Date(now()) };
    const { payload } = await jwtVerify(token, keys, options).catch(refuse);
    return addressIn(payload, settings);
  };
}

function addressIn({ email, email_verified: verified, hd }: JWTPayload, settings: GoogleSettings): string {
  const address = typeof email === 'string' ? emailAddress(email) : null;
  if (!address) throw new BadToken('The ID token contains no e-mail address.');
  if (verified !== true) throw new BadToken('Google has not verified the e-mail address in the ID token.');
  if (!isVouchedFor(address, typeof hd === 'string' ? hd.toLowerCase() : null, settings)) {
    throw new BadToken(
      `Google does not host this e-mail address, so it cannot prove who owns it now: sign in with a gmail.com or Google Workspace address, or have the operator list it in ${settingName('STAFF_EMAILS')}.`,
    );
  }
  return address;
}

/**
 * Whether an address still belongs to the account. Google can guarantee this for gmail.com and for the domains it hosts
 * (the claim `hd`). It verified any other address only once, and the address may have a new owner since
 * (https://developers.google.com/identity/gsi/web/guides/verify-google-id-token).
 */
function isVouchedFor(
  address: string,
  hd: string | null,
  { hostedDomains, listed }: GoogleSettings,
): boolean {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  const isHosted = hd !== null && (hd === domain || hostedDomains.has(hd));
  return domain === 'gmail.com' || isHosted || listed.has(address);
}

function refuse(error: unknown): never {
  if (error instanceof errors.JWTExpired)
    throw new BadToken('The ID token has expired: please sign in again.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    throw new BadToken(`The ID token's claim "${error.claim}" is missing or has an unexpected value.`);
  }
  if (error instanceof errors.JOSEError)
    throw new BadToken('The ID token is malformed, or not signed by Google.');
  throw error;
}
