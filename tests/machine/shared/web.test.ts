import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { exposedHeaders } from '../../../api/src/http/cors.ts';
import { root, run } from '../../run/command.ts';
import {
  ask,
  converge,
  domain,
  eventually,
  provisionedMachine,
  type Answer,
  type Machine,
} from '../machine.ts';
import { taskName } from '../task-name.ts';

const consoleDomain = 'console.map-app.test';
const origin = 'https://elsewhere.example';
const site = '/etc/nginx/sites-available/map-app';
const apiPolicy = "default-src 'none'; frame-ancestors 'none'";

const page = (version: number) =>
  `<!doctype html><title>Kiosk ${version}</title><script>window.version = ${version};</script><script src="/static/main.8f0c2d1${version}.js"></script>`;

describe('A build of a client', () => {
  // One case per line.
  // prettier-ignore
  const builds: [what: string, file: string, content: string, needs: [loads: string[], mentions: string[], evaluates: boolean]][] = [
    ['a style sheet', 'index.html', '<link rel="stylesheet" href="//a.dev/x.css"><link rel="icon" href="https://b.dev/x.ico">', [['https://a.dev'], [], false]],
    ['a script and a frame', 'index.html', '<script src="https://a.dev/x.js"></script><iframe src="https://b.dev/"></iframe><a href="https://c.dev/">c</a>', [['https://a.dev', 'https://b.dev'], [], false]],
    ["Google's fonts", 'a.css', '@import "https://fonts.googleapis.com/css?family=X";', [['https://fonts.googleapis.com', 'https://fonts.gstatic.com'], [], false]],
    ['a font, and a picture, which is allowed', 'a.css', '@font-face{src:url(https://a.dev/x.woff2)}body{background:url("https://b.dev/x.png")}', [['https://a.dev'], [], false]],
    ['requests', 'a.js', 'fetch("https://a.dev:8443/x");r.open("GET","http://b.dev/y");new WebSocket("wss://c.dev/")', [['https://a.dev:8443', 'https://b.dev', 'wss://c.dev'], [], false]],
    ['map tiles', 'a.js', 'this.u="https://worldwind26.arc.nasa.gov/wms",v="https://files.worldwind.arc.nasa.gov/artifacts"', [['https://files.worldwind.arc.nasa.gov', 'https://worldwind26.arc.nasa.gov'], [], false]],
    ['a link', 'a.js', 'h("a",{href:"https://centre.dev/donate"})', [[], ['https://centre.dev'], false]],
    ['URLs of documentation and namespaces', 'a.js', 'x="http://www.w3.org/2000/svg";throw Error("https://reactjs.org/docs/error-decoder.html?invariant=1")', [[], [], false]],
    ['code evaluation', 'a.js', 'return Function.apply(null,a.concat(b))', [[], [], true]],
    ['code evaluation in a page', 'index.html', '<script>eval("1")</script>', [[], [], true]],
    ['code that only resembles evaluation', 'a.js', 'g=Function("return this")()||new Function(\'return this\')();isFunction(x);o.eval(x);Function("r","regeneratorRuntime = r")(r);"f"!=typeof e&&(e=new Function(""+e))', [[], [], false]],
  ];
  for (const [what, file, content, expected] of builds) {
    it(`is analysed for the sources and permissions of its pages: ${what}`, async () => {
      const read =
        'import sys, json; from client_needs import Needs; n = Needs({sys.argv[1]: sys.argv[2].encode()}); print(json.dumps([sorted(n.loads), sorted(n.mentions), n.evaluates is not None]))';
      const { output } = await run(['python3', '-c', read, file, content], {
        environment: { PYTHONPATH: join(root, 'plugins/module_utils') },
      });
      expect(JSON.parse(output)).to.deep.equal(expected);
    });
  }
});

describe('nginx', () => {
  let machine: Machine;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-clients-'));
  const kiosk = join(folder, 'kiosk');
  const vars = {
    map_app_cors_origins: [origin],
    nginx_clients: [
      { domain, src: kiosk },
      { domain: consoleDomain, src: join(folder, 'console.zip'), sources: ['https://cdn.example'] },
    ],
  };
  // Only the roles that use these variables.
  const web = { arguments: ['--tags', 'certificates,nginx'] };

  /** Writes a build of the kiosk: a page, and a script with a content hash in its name. */
  function build(version: number) {
    rmSync(kiosk, { recursive: true, force: true });
    mkdirSync(join(kiosk, 'static'), { recursive: true });
    writeFileSync(join(kiosk, 'index.html'), page(version));
    writeFileSync(join(kiosk, 'static', `main.8f0c2d1${version}.js`), `// ${version}`);
    writeFileSync(join(kiosk, `only-${version}.txt`), 'x');
  }

  before('provision the machine', async () => {
    machine = await provisionedMachine();
    build(1);
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>Console</title>');
    await run(['python3', '-m', 'zipfile', '-c', join(folder, 'console.zip'), join(folder, 'index.html')]);
  });

  after('remove the clients', async () => {
    rmSync(folder, { recursive: true });
    await converge(machine, web);
    expect(await machine.must('ls -A /var/www/map-app')).to.equal('');
  });

  describe('serves clients, which', () => {
    it('are installed by one run, with the changes that --check predicted', async () => {
      const check = await machine.play({ vars, arguments: [...web.arguments, '--check', '--diff'] });
      const changed = await converge(machine, { ...web, vars });
      expect(changed).to.include(taskName('Unpack the clients'));
      expect(check.changed).to.deep.equal(changed);
    });

    it('are not changed by a second run', async () => {
      expect(await converge(machine, { ...web, vars })).to.deep.equal([]);
    });

    it('have pages on their own domains', async () => {
      for (const path of ['/', '/dashboard', '/login', '/survey', '/survey/new']) {
        expect((await ask(machine, path)).body).to.equal(page(1));
        expect((await ask(machine, path, { host: consoleDomain })).body).to.contain('<title>Console</title>');
      }
    });

    it('have the API on the same domains', async () => {
      for (const host of [domain, consoleDomain]) {
        for (const path of [
          '/api/locations/counts',
          '/admin/count',
          '/openapi.json',
          '/openapi-3.0.json',
          '/healthz',
          '/readyz',
        ]) {
          const answer = await ask(machine, path, { host });
          expect(answer.status, path).to.equal(200);
          expect(answer.headers['content-type'], path).to.match(/^application\/(vnd\.oai\.openapi\+)?json/);
        }
        const signIn = await ask(machine, '/flask/auth', { host, body: {} });
        expect(JSON.parse(signIn.body)).to.include({ success: false });
      }
    });

    it('have cache headers according to their file names', async () => {
      const script = await ask(machine, '/static/main.8f0c2d11.js');
      expect(script.headers['cache-control']).to.equal('public, max-age=31536000, immutable');
      expect(script.headers['content-type']).to.match(/javascript/);
      expect((await ask(machine, '/survey/new')).headers['cache-control']).to.equal('no-cache');
      expect((await ask(machine, '/only-1.txt')).headers['cache-control']).to.equal('no-cache');
    });

    it('have a Content-Security-Policy with only the sources that they need', async () => {
      const policy = String((await ask(machine, '/')).headers['content-security-policy']);
      // The hash of the page's inline script, as a browser computes it.
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('window.version = 1;'));
      expect(policy).to.contain(
        `script-src 'self' 'sha256-${Buffer.from(digest).toString('base64')}' https://accounts.google.com`,
      );
      expect(policy).to.contain("frame-ancestors 'none'");
      expect(policy).not.to.contain('cdn.example');
      const other = await ask(machine, '/', { host: consoleDomain });
      expect(other.headers['content-security-policy']).to.match(
        /script-src 'self' [^;]*https:\/\/cdn\.example/,
      );
    });

    it('are on the certificate', async () => {
      const certificate = await machine.must(
        'openssl x509 -in /etc/ssl/map-app/live/fullchain.pem -noout -ext subjectAltName',
      );
      expect(certificate).to.contain(`DNS:${domain}`).and.contain(`DNS:${consoleDomain}`);
    });

    it('are replaced atomically, while open pages of the previous version keep working', async () => {
      build(2);
      const seen = new Set<string>();
      const end = new AbortController();
      const visitor = (async () => {
        while (!end.signal.aborted) {
          const { body, headers } = await ask(machine, '/');
          const [, version] = /version = (\d)/.exec(body) ?? [];
          seen.add(version ?? body);
          expect(body).to.equal(page(Number(version)));
          const digest = await crypto.subtle.digest(
            'SHA-256',
            new TextEncoder().encode(`window.version = ${version};`),
          );
          expect(headers['content-security-policy'], 'the policy of the same version').to.contain(
            Buffer.from(digest).toString('base64'),
          );
          const script = await ask(machine, `/static/main.8f0c2d1${version}.js`);
          expect(script.body).to.equal(`// ${version}`);
        }
      })();
      const changed = await converge(machine, { ...web, vars });
      end.abort();
      await visitor;
      expect(changed).to.deep.equal([
        taskName('Upload the clients'),
        taskName('Unpack the clients'),
        taskName('Link the newest version of each client'),
        taskName('Configure nginx and the site'),
        taskName('Start nginx, and check whether it read its unit and its configuration before they changed'),
        taskName('Reload nginx'),
      ]);
      await eventually(30, async () => expect((await ask(machine, '/')).body).to.equal(page(2)));
      expect([...seen].filter((version) => version !== '1' && version !== '2')).to.deep.equal([]);
      expect((await ask(machine, '/static/main.8f0c2d11.js')).status, 'a file of an open page').to.equal(200);
      expect((await ask(machine, '/only-1.txt')).status, 'a file of the previous version only').to.equal(404);
    });

    it('are available during a reload, from nginx workers that do not know the newest version yet', async () => {
      const at = `/var/www/map-app/${domain}`;
      const newest = await machine.must(`readlink ${at}/newest`);
      await machine.must(
        `mkdir --parents ${at}/next/static && printf '// 3' >${at}/next/static/main.8f0c2d13.js && ln --symbolic --force --no-dereference next ${at}/newest`,
      );
      try {
        const script = await ask(machine, '/static/main.8f0c2d13.js');
        expect(script.body).to.equal('// 3');
        expect(script.headers['content-security-policy']).to.contain("frame-ancestors 'none'");
      } finally {
        await machine.must(
          `ln --symbolic --force --no-dereference ${newest} ${at}/newest && rm --recursive ${at}/next`,
        );
      }
    });

    // One case per line.
    // prettier-ignore
    const unfit: [what: string, sentence: RegExp, make: (at: string) => void][] = [
      ['does not exist', /does not exist/, () => undefined],
      ['has no page', /has no index\.html at its top/, (at) => mkdirSync(at)],
      ['is the source project', /holds package\.json/, (at) => (mkdirSync(at), writeFileSync(join(at, 'package.json'), '{}'))],
      ['contains a link', /holds the link x/, (at) => (mkdirSync(at), symlinkSync('/etc/passwd', join(at, 'x')))],
      ['is not an archive', /is neither a folder nor a whole \.zip or \.tar archive/, (at) => writeFileSync(at, 'x')],
    ];
    for (const [what, sentence, make] of unfit) {
      it(`are rejected if the build ${what}`, async () => {
        const at = join(folder, what.replaceAll(' ', '-'));
        make(at);
        const packed = await run([
          'ansible',
          'localhost',
          '-i',
          'localhost,',
          '-c',
          'local',
          '-m',
          'packed_client',
          '-a',
          `src=${at} dest=${folder}/packed`,
        ]);
        expect(packed.code, packed.output).not.to.equal(0);
        expect(packed.output).to.match(sentence);
      });
    }
  });

  /** Expects an error in the contract's format, with the headers of every response. */
  function isError(answer: Answer, status: number, allowed: string | null = origin) {
    expect(answer.status, answer.body).to.equal(status);
    expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
    const { success, message, ...more } = JSON.parse(answer.body) as Record<string, unknown>;
    expect(success).to.equal(false);
    expect(message).to.match(/^[A-Z].*\.$/);
    expect(more).to.deep.equal({});
    expect(answer.headers['access-control-allow-origin']).to.equal(allowed ?? undefined);
    expect(answer.headers['access-control-expose-headers']).to.equal(allowed ? exposedHeaders : undefined);
    expect(answer.headers['vary']).to.equal('Origin');
    hasSecurity(answer, apiPolicy, 'no-referrer');
  }

  function hasSecurity({ headers }: Answer, policy: string, referrer: string) {
    // A duplicate header would appear as one value with a comma.
    expect(headers['x-request-id']).to.match(/^[0-9a-f]{32}$/);
    expect(headers['strict-transport-security']).to.equal('max-age=63072000');
    expect(headers['x-content-type-options']).to.equal('nosniff');
    expect(headers['content-security-policy']).to.equal(policy);
    expect(headers['referrer-policy']).to.equal(referrer);
    expect(headers['cross-origin-resource-policy']).to.equal('same-site');
  }

  describe('returns its own errors as JSON:', () => {
    const headers = { Origin: origin };
    const cors = ({ headers }: Answer) =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control-|vary$)/.test(name)));

    it('400 for a malformed path', async () =>
      // nginx has not read the Origin header yet.
      isError(await ask(machine, '/api/%zz', { headers }), 400, null));

    it('404 for /metrics, even though the workers serve it', async () => {
      for (const path of ['/metrics', '/METRICS', '/metrics/x.html', '/%6detrics'])
        isError(await ask(machine, path, { headers }), 404);
    });

    it('405 for a POST to a page', async () =>
      isError(await ask(machine, '/dashboard', { headers, body: {} }), 405));

    it('413 for a body that is too large for any call', async () =>
      isError(await ask(machine, '/api/locations', { headers, body: 'x'.repeat(5_000_000) }), 413));

    it('414 for a path that is too long', async () =>
      isError(await ask(machine, `/api/${'x'.repeat(9_000)}`, { headers }), 414, null));

    it('431 for headers that are too large', async () =>
      isError(
        await ask(machine, '/api/locations', { headers: { ...headers, 'X-Large': 'x'.repeat(9_000) } }),
        431,
      ));

    it('without CORS headers for an origin that is not allowed', async () => {
      const answer = await ask(machine, '/metrics', { headers: { Origin: 'https://other.example' } });
      expect(cors(answer)).to.deep.equal({ vary: 'Origin' });
    });

    // The worker rejects the request unread, while nginx is still sending the body to it.
    it("but passes a worker's early rejection of a large body", async () => {
      for (let turn = 0; turn < 40; turn += 1) {
        const answer = await ask(machine, '/api/animal_locations', { body: 'x'.repeat(3_900_000) });
        expect(answer.status, answer.body).to.equal(401);
      }
    });

    it("with the same security headers as the API's responses", async () => {
      hasSecurity(await ask(machine, '/api/locations/counts'), apiPolicy, 'no-referrer');
      const { 'content-security-policy': policy } = (await ask(machine, '/')).headers;
      hasSecurity(await ask(machine, '/login'), String(policy), 'strict-origin-when-cross-origin');
    });

    it('502 if the workers are down, while preflights succeed', async () => {
      const preflight = () =>
        ask(machine, '/api/locations', {
          method: 'OPTIONS',
          headers: { ...headers, 'Access-Control-Request-Method': 'POST' },
        });
      const theirs = await preflight();
      await machine.must('systemctl stop map-app');
      try {
        const answer = await ask(machine, '/api/locations', { headers, body: { lat: 1, long: 1 } });
        isError(answer, 502);
        expect(answer.headers['retry-after']).to.equal('1');
        const own = await preflight();
        expect(own.status).to.equal(204);
        // The workers do not allow this origin, because these tests run only the role nginx.
        expect(cors(own)).to.deep.equal({
          ...cors(theirs),
          'access-control-allow-origin': origin,
          'access-control-expose-headers': exposedHeaders,
        });
        expect((await ask(machine, '/login')).status, 'pages keep working').to.equal(200);
      } finally {
        await machine.must('systemctl start map-app');
      }
    });

    it("504 if the workers are too slow, while the workers' own errors pass unchanged", async () => {
      await machine.must(
        `systemctl stop map-app && cp --preserve ${site} /root/site && sed -i 's/proxy_http_version 1.1;/&  proxy_read_timeout 1s;/' ${site} && nginx -s reload`,
      );
      try {
        await machine.must(
          `mkdir -p /run/map-app && systemd-run --quiet --unit=slow-worker python3 -c '${slowWorker}'`,
        );
        const docs = await eventually(60, async () => {
          const answer = await ask(machine, '/docs', { headers });
          expect(answer.status, answer.body).to.equal(503);
          return answer;
        });
        expect(docs.body).to.equal('from a worker');
        expect(docs.headers).to.include({
          'content-type': 'text/html',
          'content-security-policy': "default-src 'self'",
          'x-content-type-options': 'nosniff',
        });
        // nginx's old workers may still accept connections for a moment, and wait longer.
        const answer = await eventually(60, async () => {
          const answer = await ask(machine, '/api/locations', { headers });
          expect(answer.status, answer.body).to.equal(504);
          return answer;
        });
        isError(answer, 504);
        expect(answer.headers['retry-after']).to.equal('1');
      } finally {
        await machine.must(
          `systemctl stop slow-worker; rm -rf /run/map-app; mv /root/site ${site} && nginx -s reload && systemctl start map-app`,
        );
      }
    });
  });

  describe('limits the request rate', () => {
    // Three /64 networks in one /48 network, and one address in another network.
    const siteNetworks = ['fd00:3::1', 'fd00:3:0:1::1', 'fd00:3:0:2::1'];
    const addresses = ['fd00:1::1', 'fd00:1::2', 'fd00:2::1', ...siteNetworks, 'fd00:4::1'].join(' ');

    before('add source addresses to the machine', () =>
      machine.must(`for a in ${addresses}; do ip address add $a/128 dev lo; done`),
    );

    after('remove the addresses', () =>
      machine.must(`for a in ${addresses}; do ip address del $a/128 dev lo; done`),
    );

    /** Repeats a request on one connection until it gets 429. @returns the number of responses by status, and the last response */
    async function send(source: string, times: number, method: string, path: string) {
      const output = await machine.must(`python3 -c '${sender}' ${source} ${times} ${method} ${path}`);
      return JSON.parse(output) as { statuses: Record<string, number> } & Answer;
    }

    it('of sign-ins, with 429 beyond the limit', async () => {
      const { statuses, ...last } = await send('127.0.0.2', 120, 'POST', '/flask/auth');
      expect(statuses['400']).to.be.within(61, 90);
      isError(last, 429);
      expect(last.headers['retry-after']).to.equal('1');
    });

    it('of an IPv6 /64 network as one client', async () => {
      expect((await send('fd00:1::1', 120, 'POST', '/flask/auth')).statuses).to.have.property('429');
      // The limit may have allowed one more request in the meantime.
      expect((await send('fd00:1::2', 10, 'POST', '/flask/auth/')).statuses).to.have.property('429', 1);
      expect((await send('fd00:2::1', 10, 'POST', '/flask/auth')).statuses).to.deep.equal({ 400: 10 });
    });

    it('of writes and of lookups, separately', async () => {
      const writes = await send('127.0.0.3', 600, 'POST', '/api/locations');
      expect(writes.statuses['400']).to.be.above(300);
      isError(writes, 429);
      expect(writes.headers['retry-after']).to.equal('1');
      const lookups = await send('127.0.0.3', 1_500, 'GET', '/api/images/city');
      expect(lookups.statuses['400']).to.be.above(600);
      expect(lookups.statuses).to.have.property('429');
    });

    it('of writes from an IPv6 /48 network, across its /64 networks', async () => {
      const statuses = [];
      for (const source of siteNetworks)
        statuses.push((await send(source, 295, 'PATCH', '/api/locations/x')).statuses['429'] ?? 0);
      expect(statuses).to.deep.equal([0, 0, 1]);
      expect((await send('fd00:4::1', 10, 'PATCH', '/api/locations/x')).statuses).to.deep.equal({ 401: 10 });
    });

    it('of visits to the donation page, which count as writes', async () => {
      const { statuses } = await send('127.0.0.5', 600, 'GET', '/api/donation_redirect');
      expect(statuses).to.have.property('429', 1);
      const heads = await send('127.0.0.5', 30, 'HEAD', '/api/donation_redirect');
      expect(heads.statuses).not.to.have.property('429');
    });

    it('of writes by all visitors together, but not by staff', async () => {
      // With a lower limit, because a slow machine might never reach the default.
      await machine.must(
        `cp --preserve ${site} /root/site && sed -i 's/zone=visitor_write:64k rate=[0-9]*/zone=visitor_write:64k rate=30/; s/zone=visitor_write burst=[0-9]*/zone=visitor_write burst=40/' ${site} && nginx -s reload`,
      );
      try {
        await eventually(20, async () => {
          const { statuses } = await send('127.0.1.4', 60, 'POST', '/api/visitor_response');
          expect(statuses).to.have.property('429');
        });
        // None of these addresses has reached its own limit.
        isError(await send('127.0.1.5', 10, 'POST', '/api/locations'), 429);
        expect((await send('127.0.1.6', 10, 'GET', '/api/donation_redirect')).statuses).to.have.property(
          '429',
        );
        expect((await send('127.0.1.7', 10, 'PATCH', '/api/locations/x')).statuses).to.deep.equal({
          401: 10,
        });
      } finally {
        await machine.must(`mv /root/site ${site} && nginx -s reload`);
      }
    });

    it('but not of reads, preflights and pages', async () => {
      const { statuses } = await send('127.0.0.3', 1_500, 'GET', '/api/locations/counts');
      expect(statuses).to.deep.equal({ 200: 1_500 });
      expect((await send('127.0.0.3', 700, 'OPTIONS', '/flask/auth')).statuses).to.deep.equal({ 204: 700 });
      expect((await send('127.0.0.3', 700, 'GET', '/login')).statuses).to.deep.equal({ 200: 700 });
    });
  });
});

// No single quotes, because the shell command quotes it with them.
const sender = `
import collections, http.client, json, socket, ssl, sys
source, times, method, path = sys.argv[1:]
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection("${domain}", context=context)
def connect():
    raw = socket.create_connection(("::1" if ":" in source else "127.0.0.1", 443), source_address=(source, 0))
    connection.sock = context.wrap_socket(raw, server_hostname="${domain}")
statuses = collections.Counter()
headers = {"Content-Type": "application/json", "Origin": "${origin}"}
for turn in range(int(times)):
    if connection.sock is None: connect()
    def exchange():
        connection.request(method, path, body="{}" if method == "POST" else None, headers=headers)
        return connection.getresponse()
    # After a reload, the old workers of nginx close their idle connections.
    try: answer = exchange()
    except (http.client.RemoteDisconnected, ConnectionError):
        connection.close()
        connect()
        answer = exchange()
    body = answer.read().decode()
    statuses[answer.status] += 1
    if answer.status == 429: break
print(json.dumps({"statuses": statuses, "status": answer.status, "body": body, "headers": {name.lower(): value for name, value in answer.getheaders()}}))
`;

const slowWorker = `
import http.server, os, shutil, socketserver, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/docs": return time.sleep(30)
        self.send_response(503)
        for name, value in (("Content-Type", "text/html"), ("Content-Security-Policy", "default-src \\x27self\\x27"), ("X-Content-Type-Options", "nosniff")): self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"from a worker")
    def address_string(self): return ""
    def log_message(self, *words): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
server = Server("/run/map-app/map-app.sock", Handler)
shutil.chown("/run/map-app/map-app.sock", "www-data")
server.serve_forever()
`;
