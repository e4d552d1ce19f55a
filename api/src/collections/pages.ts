import { escaped, pageReply } from '../http/page.ts';
import type { Reply } from '../http/reply.ts';
import type { About } from './documents.ts';
import { search } from './features.ts';
import type { ItemsQuery } from './schema.ts';

const documentation = '<a href="/docs">The API and how to call it</a>';
const linked = { headers: { Link: '</docs>; rel="service-doc"; type="text/html"' } };

/** The page that a browser shows at `/` if no client is served there. */
export const startPage = (): Reply =>
  pageReply(
    {
      title: 'Visitor map',
      main: `<p>This is the API of the rescue centre's visitor map.</p>
    <p>${documentation}<br><a href="/collections">Its data as OGC API – Features</a><br><a href="/sign-in">Sign in as staff</a></p>`,
    },
    linked,
  );

/** The page that a browser shows at `/collections`. */
export const collectionsPage = (all: readonly About[]): Reply =>
  pageReply(
    {
      title: 'Data of the visitor map',
      main: `<p>Programs that understand OGC API – Features, such as QGIS, read these collections from this address.</p>
    ${all.map((about) => entry(about, {})).join('\n    ')}
    <p>${documentation}<br><a href="/collections?f=json">This page as JSON</a><br><a href="/">Start page</a></p>`,
    },
    linked,
  );

/** The page that a browser shows for a collection's items, with links to the same request in each format. */
export const itemsPage = (about: About, query: ItemsQuery): Reply =>
  pageReply(
    {
      title: about.title,
      main: `${entry(about, query)}
    <p>${documentation}<br><a href="/collections">All collections</a><br><a href="/">Start page</a></p>`,
    },
    linked,
  );

function entry({ id, title, description }: About, query: ItemsQuery): string {
  const address = (f: 'json' | 'csv') => escaped(`/collections/${id}/items${search({ ...query, f })}`);
  return `<p><b>${escaped(title)}</b>: ${escaped(description)}<br>
    <a href="${address('csv')}">Download as CSV</a>, for spreadsheets<br>
    <a href="${address('json')}">GeoJSON</a>, for maps</p>`;
}
