import { escaped, pageStyle, type Page } from '../http/page.ts';

/** Google's sign-in library: https://developers.google.com/identity/gsi/web/guides/client-library */
const library = 'https://accounts.google.com/gsi/client';

/**
 * Headers of the page. The nonce is for the script tag of Google's library, which sets the same nonce on the style
 * elements it inserts. The library needs the page's origin as referrer, and a reference to the window it opens.
 */
export function signInHeaders(nonce: string): Record<string, string> {
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      `script-src 'self' ${library}`,
      `style-src ${pageStyle} 'nonce-${nonce}' https://accounts.google.com/gsi/style`,
      'frame-src https://accounts.google.com/gsi/',
      "connect-src 'self' https://accounts.google.com/gsi/",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'Referrer-Policy': 'strict-origin-when-cross-origin',
    'Cross-Origin-Opener-Policy': 'same-origin-allow-popups',
    'Cache-Control': 'no-store',
  };
}

const script = '<script src="/sign-in/script.js" defer></script>';

export function signInPage(clientId: string, nonce: string): Page {
  return {
    title: 'Staff sign-in',
    // Both are deferred, so that the second script runs after the library has loaded.
    head: `<script src="${library}" nonce="${nonce}" defer></script>${script}`,
    main: `<p>Sign in with the Google account of your staff address.</p>
    <div id="button" data-client-id="${escaped(clientId)}"></div>
    <p id="message" role="status"></p>
    <p id="redirect"><a href="/sign-in?mode=redirect">Sign-in window does not open? Sign in without it</a></p>
    <noscript>Signing in needs JavaScript.</noscript>`,
  };
}

/** Passes a verified credential to the console. */
export function signedInPage(credential: string): Page {
  return {
    title: 'Staff sign-in',
    head: script,
    main: `<p id="message" role="status" data-credential="${escaped(credential)}">You are signed in.</p>
    <p><a href="/dashboard">Open the console</a></p>`,
  };
}

export function notSignedInPage(message: string): Page {
  return {
    title: 'You are not signed in',
    main: `<p>${escaped(message)}</p><p><a href="/sign-in">Try again</a></p>`,
  };
}

export const notSetUpPage: Page = {
  title: 'Sign-in is not set up',
  main: `<p>Sign-in is not possible, because the server has no Google client id.</p>
    <p>Create one in Google's console, set <code>map_app_google_client_id</code> in <code>vars.yml</code> and run <code>site.yml</code>:
    see <code>docs/staff-and-sign-in.md</code>. Without Ansible, set the API's variable <code>GOOGLE_CLIENT_ID</code>.</p>`,
};

/**
 * The console guards its pages with this session storage item, and sends the token in it to /flask/auth on each load.
 */
export const signInScript = `'use strict';

const message = document.querySelector('#message');

function claimsOf(credential) {
  const base64 = credential.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function openConsole(credential) {
  const { sub, name, email, picture } = claimsOf(credential);
  const profileObj = { googleId: sub, name, email, imageUrl: picture };
  sessionStorage.setItem('PMMCAdminLogin', JSON.stringify({ tokenObj: { id_token: credential }, profileObj }));
  location.replace('/dashboard');
}

async function signIn({ credential }) {
  message.textContent = 'Signing in …';
  try {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch('/flask/auth', { method: 'POST', headers, body: JSON.stringify({ credential }) });
    const answer = await response.json();
    if (answer.authorized) openConsole(credential);
    else message.textContent = answer.message ?? claimsOf(credential).email + ' is not on the staff list.';
  } catch {
    message.textContent = 'The server cannot be reached. Please check the connection and try again.';
  }
}

function showButton() {
  const button = document.querySelector('#button');
  if (!window.google?.accounts) {
    message.textContent = "Google's sign-in cannot be loaded. Please check the connection, or a content blocker, and reload the page.";
    return;
  }
  const redirects = new URLSearchParams(location.search).get('mode') === 'redirect';
  document.querySelector('#redirect').hidden = redirects;
  google.accounts.id.initialize({
    client_id: button.dataset.clientId,
    ...(redirects ? { ux_mode: 'redirect', login_uri: location.origin + '/sign-in' } : { ux_mode: 'popup', callback: signIn }),
  });
  google.accounts.id.renderButton(button, { theme: 'outline', size: 'large' });
}

if (message.dataset.credential) openConsole(message.dataset.credential);
else showButton();
`;
