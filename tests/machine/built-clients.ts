import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes the files of a build, by path. */
function write(folder: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** The request helper of both clients, with the headers that they send. */
const call = `const call = (path, options = {}) => fetch(path, {
  mode: 'cors', ...options,
  headers: { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*', ...options.headers },
}).then((response) => response.json());
const show = (id, text) => { document.getElementById(id).textContent = text; };
`;

/** Writes a build that behaves like the kiosk: it evaluates code, loads a font from another host, first geocodes (0, 0), and shows the animals' pictures. */
export const buildKiosk = (folder: string): void =>
  write(folder, {
    'index.html': `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kiosk</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="https://fonts.googleapis.com/css?family=Stand-in">
<script src="/static/main.8f0c2d1b.js" defer></script></head>
<body style="font-family: Stand-in, sans-serif"><h1 id="product"></h1><button id="start">Start</button>
<p id="font"></p><p id="pin"></p><div id="animals"></div></body></html>`,
    'static/main.8f0c2d1b.js': `${call}
const specification = 'http://www.w3.org/2000/svg';
show('product', Function.apply(null, ['a', 'return a * 7'])(6));
document.fonts.load('16px Stand-in').then((fonts) => show('font', fonts.length + ' font'));
call('/api/animal_locations').then(({ animal_locations }) => {
  for (const { animal_images } of animal_locations) {
    const picture = new Image();
    picture.src = 'data:image/png;base64,' + animal_images;
    document.getElementById('animals').append(picture);
  }
});
document.getElementById('start').addEventListener('click', async () => {
  const place = (lat, long) => ({ method: 'POST', body: JSON.stringify({ lat, long }) });
  const nowhere = await call('/api/geocoder', place(0, 0));
  if (!nowhere.success) return show('pin', 'blocked');
  const pin = await call('/api/locations', place(33.5427, -117.7854));
  show('pin', pin.success ? pin.city : pin.message);
});
`,
  });

/** Writes a build that behaves like the console: its pages require an item in the session storage, and it sends that token to /flask/auth on each load. */
export const buildConsole = (folder: string): void =>
  write(folder, {
    'index.html': `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Console</title><link rel="icon" href="data:,">
<script src="/static/main.1c2d3e4f.js" defer></script></head><body><h1 id="heading"></h1><p id="answers"></p></body></html>`,
    'static/main.1c2d3e4f.js': `${call}
const item = sessionStorage.getItem('PMMCAdminLogin');
async function guard() {
  if (location.pathname === '/login') return show('heading', 'Login');
  if (item === null) return location.replace('/login');
  const { authorized } = await call('/flask/auth', { method: 'POST', headers: { Authorization: item } });
  if (!authorized) return location.replace('/login');
  show('heading', location.pathname + ' of ' + JSON.parse(item).profileObj.name);
  const { responses } = await call('/api/visitor_response');
  show('answers', responses.length + ' answers');
}
guard();
`,
  });
