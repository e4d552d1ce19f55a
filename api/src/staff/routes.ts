import { badRequest } from '../http/errors.ts';
import { done } from '../http/fields.ts';
import { json } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import type { Log } from '../log.ts';
import { beginSession, type SignIn } from './gate.ts';
import { authorization, authorized, cookie, credential, legacy, refused } from './schema.ts';
import { BadToken } from './token.ts';

export function staffRoutes(signIn: SignIn, log: Log): Route[] {
  const { store, cookies } = signIn;
  return [
    route(
      {
        method: 'post',
        path: '/flask/auth',
        access: 'public',
        limit: 'sign_in',
        summary:
          'Signs in with an ID token of Google, in the body or in JSON in the header Authorization: {"tokenObj": {"id_token": "…"}}.',
        input: { headers: authorization, body: credential },
        output: authorized,
        also: [
          {
            status: 403,
            description: 'The token is not valid.',
            mediaType: 'application/json',
            schema: refused,
          },
        ],
      },
      async ({ headers, body }) => {
        try {
          const token = body?.credential ?? tokenIn(headers.authorization);
          const { cookie } = await beginSession(signIn, log, token);
          if (cookie === null) return { authorized: false };
          return json({ authorized: true }, { headers: { 'Set-Cookie': cookie } });
        } catch (error) {
          if (!(error instanceof BadToken)) throw error;
          return json({ success: false, message: error.message, error: error.message }, { status: 403 });
        }
      },
    ),
    route(
      {
        method: 'delete',
        path: '/api/session',
        access: 'public',
        stores: false,
        summary: 'Signs out: ends the session of the cookie.',
        input: { headers: cookie },
        output: done,
      },
      async ({ headers }) => {
        const id = await cookies.read(headers.cookie);
        if (id) await store.end(id);
        const body = { success: true, message: 'You are signed out.' };
        return json(body, { headers: { 'Set-Cookie': cookies.revoke() } });
      },
    ),
  ];
}

/** Returns the token in the header that the console's older sign-in sends. */
function tokenIn(authorization = ''): string {
  const { value, error } = legacy.validate(parsed(authorization));
  if (error || !value) {
    throw badRequest(
      'Send Google\'s ID token as {"credential": "…"} in the body, or as {"tokenObj": {"id_token": "…"}} in the header Authorization.',
    );
  }
  return value.tokenObj.id_token;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
