import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { calls } from '../../api/release/routes.ts';
import { maximumBody } from '../../api/src/http/body.ts';
import { allowedHeaders, allowedMethods, exposedHeaders, preflightSeconds } from '../../api/src/http/cors.ts';
import { isVisitorWrite, limitOf } from '../../api/src/http/limit.ts';
import { root, run } from '../run/command.ts';

const role = `${root}roles/nginx`;

/** Renders the site as the role does for a machine without clients. */
async function renderSite(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-site-'));
  try {
    const task = { src: `${role}/templates/site.conf.j2`, dest: `${folder}/site.conf` };
    const play = {
      hosts: 'localhost',
      connection: 'local',
      gather_facts: false,
      vars_files: [`${root}group_vars/all.yml`, `${role}/defaults/main.yml`, `${role}/vars/main.yml`],
      tasks: [{ 'ansible.builtin.template': task }],
    };
    const vars = {
      ansible_python_interpreter: '{{ ansible_playbook_python }}',
      ansible_facts: { distribution_release: 'trixie' },
      map_app_domain: 'map.example.org',
      role_path: role,
    };
    // JSON is YAML, too.
    writeFileSync(`${folder}/play.yml`, JSON.stringify([play]));
    writeFileSync(`${folder}/vars.json`, JSON.stringify(vars));
    const { code, output } = await run(
      ['ansible-playbook', '-i', 'localhost,', '-e', `@${folder}/vars.json`, 'play.yml'],
      { cwd: folder },
    );
    expect(code, output).to.equal(0);
    return readFileSync(task.dest, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the lines of a block, for example of `map $status $pause {`. */
function block(site: string, head: string): string[] {
  const [, rest] = site.split(`\n${head} {\n`);
  if (rest === undefined) throw new Error(`nginx's configuration has no ${head}.`);
  return rest
    .slice(0, rest.indexOf('}\n'))
    .trim()
    .split(/\s*\n\s*/);
}

/** Returns the value of a key in a map, as nginx looks it up: strings first, in any case, then regular expressions. */
function lookUp(site: string, map: string, key: string): string {
  const entries = block(site, map)
    .filter((line) => !line.startsWith('#'))
    .map((line) => /^(?:"([^"]*)"|(\S+))\s+"?([^"]*)"?;$/.exec(line)!)
    .map(([, quoted, plain, value]) => [quoted ?? plain!, value!] as const);
  const found =
    entries.find(([name]) => name.toLowerCase() === key.toLowerCase()) ??
    entries.find(([name]) => name.startsWith('~*') && new RegExp(name.slice(2), 'i').test(key)) ??
    entries.find(([name]) => name === 'default');
  return found?.[1] ?? '';
}

describe("nginx's configuration", () => {
  let site: string;

  before('render the site', async () => {
    site = await renderSite();
  });

  /** Every call with an example of its path. */
  const examples = calls.map((call) => ({
    call,
    method: call.method.toUpperCase(),
    path: call.path.replace(/:\w+/g, '7'),
  }));

  const limitOfRequest = (method: string, path: string) => {
    const limit = lookUp(site, 'map "$request_method $uri" $limit', `${method} ${path}`);
    return limit === '$limit_by_method'
      ? lookUp(site, 'map $request_method $limit_by_method', method)
      : limit;
  };

  it("passes every call to the API, except a client's start page", () => {
    const prefixes = Array.from(site.matchAll(/location \^~ (\S+) \{/g), ([, prefix]) => prefix!);
    for (const { path } of examples) {
      const isApi = path !== '/';
      expect(
        prefixes.some((prefix) => path.startsWith(prefix)),
        path,
      ).to.equal(isApi);
      expect(lookUp(site, 'map $uri $api_caller', path), path).to.equal(isApi ? '$caller' : '');
    }
  });

  it('applies the declared rate limits, with and without a slash at the end', () => {
    for (const { call, method, path } of examples) {
      for (const request of [path, `${path}/`]) {
        expect(limitOfRequest(method, request), `${method} ${request}`).to.equal(limitOf(call) ?? '');
        const visitor = lookUp(site, 'map "$request_method $uri" $visitor_write', `${method} ${request}`);
        expect(visitor, `${method} ${request}`).to.equal(isVisitorWrite(call) ? 'all' : '');
      }
    }
    for (const limit of new Set(calls.map(limitOf).filter((each) => each !== undefined))) {
      expect(lookUp(site, `map $limit $${limit}_caller`, limit)).to.equal('$caller');
      expect(site).to.match(new RegExp(`limit_req zone=${limit} `));
    }
  });

  it('counts a HEAD at most as a lookup, and no preflight', () => {
    for (const { call, method, path } of examples) {
      expect(limitOfRequest('OPTIONS', path), path).to.equal('');
      if (method === 'GET')
        expect(limitOfRequest('HEAD', path), path).to.equal(limitOf(call) ? 'look_up' : '');
    }
  });

  it('accepts every body that the API accepts', () => {
    const usual = Number(/^ {4}client_max_body_size (\d+)k;/m.exec(site)![1]) * 2 ** 10;
    const uploads = Array.from(
      site.matchAll(/location \^~ (\S+) \{\s+client_max_body_size (\d+)m;/g),
      ([, prefix, megabytes]) => ({ prefix: prefix!, bytes: Number(megabytes) * 2 ** 20 }),
    );
    for (const { call, path } of examples) {
      const bytes = uploads.find(({ prefix }) => path.startsWith(prefix))?.bytes ?? usual;
      expect(bytes, path).to.be.at.least(call.bodyLimit ?? maximumBody);
    }
  });

  it('retries exactly the calls of visitors that the API executes once', () => {
    const retried = Array.from(
      site.matchAll(/location = (\S+) \{\s+proxy_pass \S+\s+proxy_next_upstream .* non_idempotent;/g),
      ([, path]) => path!,
    );
    const isOnce = ({ call }: (typeof examples)[number]) => call.access === 'public' && call.idempotent;
    expect(retried).to.deep.equal(examples.filter(isOnce).map(({ path }) => path));
    // nginx retries every method of such a path.
    const others = examples.filter((example) => retried.includes(example.path) && !isOnce(example));
    expect(others.map(({ method }) => method)).to.deep.equal(others.map(() => 'GET'));
  });

  it('sends the same CORS headers as the API', () => {
    expect(lookUp(site, 'map $cors_origin $cors_exposed', 'https://kiosk.example')).to.equal(exposedHeaders);
    expect(lookUp(site, 'map $request_method $preflight_methods', 'OPTIONS')).to.equal(allowedMethods);
    expect(lookUp(site, 'map $request_method $preflight_headers', 'OPTIONS')).to.equal(allowedHeaders);
    expect(lookUp(site, 'map $request_method $preflight_seconds', 'OPTIONS')).to.equal(preflightSeconds);
  });

  it('keeps the health checks available in maintenance mode', () => {
    const line = block(site, 'map "$request_method $uri" $closes').find((entry) => entry.includes('healthz'));
    const open = new RegExp(/"~(.*)"/.exec(line!)![1]!);
    const kept = examples.filter(({ method, path }) => open.test(`${method} ${path}`));
    expect(kept.map(({ path }) => path)).to.deep.equal(['/healthz', '/readyz']);
  });
});
