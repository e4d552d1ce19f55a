import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from '../run/command.ts';

/** A loopback server that stands in for Google's hosts: the library of the sign-in button, its redirect mode, a style sheet and a font. */
export type StandIns = { port: number; close: () => void };

const font = '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf';

/** Starts the server. `credential`: the token that the sign-in button returns; `folder`: a folder for its certificate. */
export async function startStandIns(folder: string, credential: string): Promise<StandIns> {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const made = await run([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=stand-in',
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  if (made.code !== 0) throw new Error(made.output);
  const files: Record<string, [type: string, content: () => string | Buffer]> = {
    'fonts.googleapis.com/css': ['text/css', () => style],
    'fonts.gstatic.com/font.ttf': ['font/ttf', () => readFileSync(font)],
    'accounts.google.com/gsi/client': ['text/javascript', () => library(credential)],
    'accounts.google.com/gsi/select': ['text/html', () => form(credential)],
  };
  const server = createServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    (request, response) => {
      const [type, content] = files[`${request.headers.host}${request.url?.split('?')[0]}`] ?? [];
      // Chromium itself also sends requests to accounts.google.com.
      response.writeHead(type ? 200 : 404, {
        'content-type': type ?? 'text/plain',
        'access-control-allow-origin': '*',
      });
      response.end(content?.());
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const style = "@font-face { font-family: 'Stand-in'; src: url(https://fonts.gstatic.com/font.ttf); }";

/** Implements these functions of https://developers.google.com/identity/gsi/web/reference/js-reference. Like Google's, its style uses the script's nonce. */
const library = (credential: string) => `
const script = document.currentScript;
let settings;
window.google = { accounts: { id: {
  initialize(given) { settings = given; },
  renderButton(place) {
    const style = document.createElement('style');
    style.nonce = script.nonce;
    style.textContent = '.google { border: 1px solid #747775; border-radius: 4px; padding: 10px 24px; background: #fff; font: 500 14px sans-serif }';
    document.head.append(style);
    const button = document.createElement('button');
    button.className = 'google';
    button.textContent = 'Sign in with Google';
    button.addEventListener('click', () => {
      if (settings.ux_mode !== 'redirect') return settings.callback({ credential: '${credential}', select_by: 'btn' });
      const token = crypto.randomUUID();
      document.cookie = 'g_csrf_token=' + token + '; path=/; Secure; SameSite=None';
      location.assign('https://accounts.google.com/gsi/select?' + new URLSearchParams({ login_uri: settings.login_uri, token }));
    });
    place.append(button);
  },
} } };
`;

const form = (credential: string) => `<!doctype html><title>Google</title><link rel="icon" href="data:,">
<form method="post"><input name="credential" value="${credential}"><input name="g_csrf_token"></form>
<script>
const query = new URLSearchParams(location.search);
document.forms[0].action = query.get('login_uri');
document.forms[0].g_csrf_token.value = query.get('token');
document.forms[0].submit();
</script>`;
