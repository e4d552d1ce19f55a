import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { preferredForm } from './accept.ts';
import { Reply, send, type Headers } from './reply.ts';
import { varyBy } from './vary.ts';

/** `main` and `head` are HTML, `title` is plain text. */
export type Page = { title: string; main: string; head?: string };

const style =
  'body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#1e243e}a{color:#0b5c8a}';

/** The CSP source expression that allows the style of every page. */
export const pageStyle = `'sha256-${hash('sha256', style, 'base64')}'`;

const policy = [
  "default-src 'none'",
  `style-src ${pageStyle}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Escapes text for HTML, including quoted attributes. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Creates a page. Without `headers`, its content security policy allows only its style. */
export function pageReply(
  { title, main, head = '' }: Page,
  { status = 200, headers = {} }: { status?: number; headers?: Headers } = {},
): Reply {
  const text = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escaped(title)}</title>
    <link rel="icon" href="data:,">
    <link rel="service-doc" href="/docs">
    <style>${style}</style>
    ${head}
  </head>
  <body>
    <h1>${escaped(title)}</h1>
    ${main}
  </body>
</html>
`;
  const all = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': policy,
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  };
  return new Reply(status, all, text);
}

/** Ends a response with a page. */
export async function sendPage(
  response: ServerResponse,
  status: number,
  page: Page,
  headers: Headers = {},
): Promise<void> {
  return send(response, pageReply(page, { status, headers }));
}

/** Whether a browser opens the URL as a page. fetch, curl and other programs do not request HTML. */
export function wantsPage({ method, headers: { accept } }: IncomingMessage): boolean {
  const isRead = method === 'GET' || method === 'HEAD';
  return isRead && preferredForm(accept, { json: ['application/json'], html: ['text/html'] }) === 'html';
}

/** Sends a page to browsers if no route matches the path. */
export const unknownPage: RequestHandler = async (request, response, next) => {
  varyBy(response, 'Accept');
  if (!wantsPage(request)) return next();
  await sendPage(response, 404, {
    title: 'Page not found',
    main: `<p>There is nothing at this address.</p>
    <p><a href="/">Start page</a><br><a href="/docs">The API and how to call it</a></p>`,
  });
};
