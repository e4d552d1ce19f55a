import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { declaredRoutes } from '../src/declared.ts';
import { documentationPaths } from '../src/docs/docs.ts';
import { maximumBody } from '../src/http/body.ts';
import { allowedHeaders, allowedMethods, exposedHeaders, preflightSeconds } from '../src/http/cors.ts';
import { isVisitorWrite, limitOf } from '../src/http/limit.ts';
import type { Route } from '../src/http/route.ts';
import { signInCalls } from '../src/staff/sign-in.ts';
import { routesFile } from './routes-file.ts';

/** The parts of a declaration that nginx needs. */
type Call = Pick<
  Route,
  'method' | 'path' | 'access' | 'stores' | 'limit' | 'idempotent' | 'bodyLimit' | 'pictureIn'
>;

/** Every call of the API: the routes, and the pages and files that are not declared as routes. */
export const calls: readonly Call[] = [
  ...declaredRoutes,
  ...signInCalls,
  ...documentationPaths.map((path) => ({ method: 'get', path, access: 'public' }) as const),
];

/** Writes the file unless it is up to date, so that git reports no change without one. */
export async function writeRoutes(root: string): Promise<void> {
  const file = join(root, routesFile);
  const before = await readFile(file, 'utf8').catch(() => '');
  if (before !== routesText()) await writeFile(file, routesText());
}

/** Returns the content of the file. The same declarations give the same text, with one route per line. */
export function routesText(): string {
  const cors = {
    exposed: exposedHeaders,
    methods: allowedMethods,
    headers: allowedHeaders,
    seconds: preflightSeconds,
  };
  return `{
"cors": ${JSON.stringify(cors)},
"prefixes": ${JSON.stringify(apiPrefixes())},
"uploads": ${JSON.stringify(uploads())},
"routes": [
${calls.map((call) => JSON.stringify(forNginx(call))).join(',\n')}
]
}
`;
}

const forNginx = (call: Call) => ({
  method: call.method.toUpperCase(),
  path: call.path,
  limit: limitOf(call) ?? null,
  visitor_write: isVisitorWrite(call),
  // The API executes these requests once, so nginx may retry them.
  retried: call.access === 'public' && call.idempotent !== undefined,
});

/**
 * Returns the prefixes of the API's paths. Other paths belong to the client, including `/`. All of `/api/` belongs to
 * the API, so that an unknown path below it returns JSON.
 */
function apiPrefixes(): string[] {
  const paths = calls.map(({ path }) => path).filter((path) => path !== '/');
  return shortest(paths.map((path) => (path.startsWith('/api/') ? '/api/' : fixedPart(path))));
}

/** Returns the paths with large bodies, each with the most bytes that a call below it accepts. */
function uploads(): { prefix: string; bytes: number }[] {
  const all = calls.filter(({ pictureIn }) => pictureIn !== undefined);
  return shortest(all.map(({ path }) => fixedPart(path))).map((prefix) => {
    const limits = all
      .filter(({ path }) => path.startsWith(prefix))
      .map(({ bodyLimit = maximumBody }) => bodyLimit);
    return { prefix, bytes: Math.max(...limits) };
  });
}

/** The part of a path before its first parameter. */
const fixedPart = (path: string) => path.replace(/\/:.*/, '');

/** Returns the prefixes that no other prefix includes, sorted. */
function shortest(prefixes: readonly string[]): string[] {
  const all = [...new Set(prefixes)].sort();
  return all.filter((prefix) => !all.some((other) => other !== prefix && prefix.startsWith(other)));
}
