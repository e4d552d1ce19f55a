import { randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import express, { type Request, type RequestHandler, Router } from 'express';
import type { DiskWatch } from '../database/disk.ts';
import { badRequest, forbidden, refusalOf } from '../http/errors.ts';
import { refuseOtherMethods } from '../http/allow.ts';
import { sendPage } from '../http/page.ts';
import { staticFiles, textFile } from '../cache/static-file.ts';
import { causeOf, type Log } from '../log.ts';
import { beginSession, type SignIn } from './gate.ts';
import { cookieIn } from './session.ts';
import {
  notSetUpPage,
  notSignedInPage,
  signedInPage,
  signInHeaders,
  signInPage,
  signInScript,
} from './sign-in-page.ts';
import { BadToken } from './token.ts';

type Surroundings = { signIn: SignIn; clientId: string | null; disk: DiskWatch; log: Log };

/** The cookie and the form field of https://developers.google.com/identity/gsi/web/guides/verify-google-id-token */
const csrf = 'g_csrf_token';

const pagePath = '/sign-in';
const maximumForm = 20_000;

/** The calls of the page, for nginx's configuration. */
export const signInCalls = [
  { method: 'get', path: pagePath, access: 'public' },
  { method: 'post', path: pagePath, access: 'public', limit: 'sign_in', bodyLimit: maximumForm },
] as const;

/** The page /sign-in, for the console. Google no longer serves the console's own sign-in library. */
export function signInRouter(surroundings: Surroundings): Router {
  const { clientId } = surroundings;
  const show: RequestHandler = (_request, response) => {
    const nonce = randomBytes(16).toString('base64');
    return clientId === null
      ? sendPage(response, 503, notSetUpPage, { 'Cache-Control': 'no-store' })
      : sendPage(response, 200, signInPage(clientId, nonce), signInHeaders(nonce));
  };

  const router = Router();
  refuseOtherMethods(router.route(pagePath).get(show).post(receiveForm(surroundings)), ['GET', 'POST']);
  router.use(staticFiles([textFile(`${pagePath}/script.js`, 'text/javascript', signInScript)]));
  return router;
}

/** Receives the form that Google's redirect mode posts. */
function receiveForm({ signIn, disk, log }: Surroundings): RequestHandler {
  const readForm = promisify(express.urlencoded({ extended: false, inflate: false, limit: maximumForm }));
  return async (request, response) => {
    const headers = signInHeaders(randomBytes(16).toString('base64'));
    try {
      await disk.demand();
      await readForm(request, response);
      const credential = credentialIn(request);
      const { email, cookie } = await beginSession(signIn, log, credential);
      if (cookie === null) throw forbidden(`${email} is not on the staff list.`);
      response.setHeader('Set-Cookie', cookie);
      await sendPage(response, 200, signedInPage(credential), headers);
    } catch (error) {
      const { status, message, unexpected } = refusalOf(
        error instanceof BadToken ? forbidden(error.message) : error,
      );
      if (unexpected) log.error('request failed', { method: 'POST', ...causeOf(error) });
      await sendPage(response, status, notSignedInPage(message), headers);
    }
  };
}

/**
 * Returns the credential in Google's form. Another site can post a form here, but cannot set the cookie that must match
 * it (double-submit cookie).
 */
function credentialIn({ body, headers }: Request): string {
  const { credential, [csrf]: token } = (body ?? {}) as Record<string, unknown>;
  const cookie = cookieIn(headers.cookie, csrf);
  if (typeof token !== 'string' || !cookie || !same(token, cookie)) {
    throw badRequest(
      'The sign-in form does not come from this page. Please allow cookies and sign in again.',
    );
  }
  if (typeof credential !== 'string' || credential === '') throw badRequest('Google sent no credential.');
  return credential;
}

function same(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
