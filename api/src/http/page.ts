import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';

/** `main` is HTML, as is `head`; `title` is text. */
export type Page = { title: string; main: string; head?: string };

const style =
  'body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#1e243e}a{color:#0b5c8a}';

/** Source expression that admits the style of every page. */
export const pageStyle = `'sha256-${hash('sha256', style, 'base64')}'`;

const policy = [
  "default-src 'none'",
  `style-src ${pageStyle}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Text as it stands in HTML, also within a quoted attribute. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Ends a response with a page. Without `headers` its policy allows its style and nothing else. */
export function sendPage(
  response: ServerResponse,
  status: number,
  { title, main, head = '' }: Page,
  headers: Record<string, string> = {},
): void {
  const text = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escaped(title)}</title>
    <link rel="icon" href="data:,">
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
    'Content-Length': String(Buffer.byteLength(text)),
    'Content-Security-Policy': policy,
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  };
  for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
  response.statusCode = status;
  response.end(text);
}

/** Whether a browser opens the address as a page: fetch, curl and programs do not ask for HTML. */
export function wantsPage({ method, headers: { accept = '' } }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && /\btext\/html\b/i.test(accept);
}

const documentation = '<a href="/docs">The API and how to call it</a>';

/** For `/`: shows browsers a page. Programs get the landing page of OGC API – Features. */
export const entrance: RequestHandler = (request, response, next) => {
  response.appendHeader('Vary', 'Accept');
  if (!wantsPage(request)) return next();
  sendPage(response, 200, {
    title: 'Visitor map',
    main: `<p>This is the API of the rescue centre's visitor map.</p>
    <p>${documentation}<br><a href="/collections">Its data as OGC API – Features</a><br><a href="/sign-in">Sign in as staff</a></p>`,
  });
};

/** Shows browsers a page if no route matches the address. */
export const unknownPage: RequestHandler = (request, response, next) => {
  response.appendHeader('Vary', 'Accept');
  if (!wantsPage(request)) return next();
  sendPage(response, 404, {
    title: 'Page not found',
    main: `<p>There is nothing at this address.</p>
    <p><a href="/">Start page</a><br>${documentation}</p>`,
  });
};
