import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { chromium, type Browser, type Page } from 'playwright-core';
import sharp from 'sharp';
import { run } from '../../run/command.ts';
import { buildConsole, buildKiosk } from '../built-clients.ts';
import { ask, converge, domain, provisionedMachine, psql, type Machine } from '../machine.ts';
import { startStandIns, type StandIns } from '../stand-ins.ts';

const consoleDomain = 'console.map-app.test';
const clientId = '1234.apps.googleusercontent.com';
const staff = 'staff@example.org';
const keysPort = 8055;
const dropIn = '/etc/systemd/system/map-app@.service.d/test.conf';
/** Folder for screenshots; none are taken if it is not set. */
const pictures = process.env['SCREENSHOTS'];

describe('In Chromium, the site', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-browser-'));
  const kiosk = join(folder, 'kiosk');
  const arguments_ = ['--tags', 'certificates,nginx,map_app,firewall'];
  const vars = {
    map_app_google_client_id: clientId,
    map_app_staff_emails: [staff],
    // The workers reach no other service on this machine.
    firewall_outgoing_services: [{ host: 'localhost', port: keysPort }],
    nginx_clients: [
      {
        domain,
        src: kiosk,
        unsafe_eval: true,
        sources: ['https://fonts.googleapis.com', 'https://fonts.gstatic.com'],
      },
      { domain: consoleDomain, src: join(folder, 'console') },
    ],
  };
  let machine: Machine;
  let standIns: StandIns;
  let browser: Browser;
  let credential: string;
  let problems: string[];

  /** Opens a page in a new browser context and collects its errors and warnings. */
  async function open(address: string): Promise<Page> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
    await page.goto(address);
    return page;
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
  }

  before("serve two clients, and start stand-ins for Google's services", async () => {
    const setup = await run(['scripts/setup', 'browser'], { show: true });
    expect(setup.code, setup.output).to.equal(0);
    machine = await provisionedMachine();
    buildKiosk(kiosk);
    buildConsole(join(folder, 'console'));
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'RS256', use: 'sig' }] };
    credential = await new SignJWT({ email: staff, email_verified: true, name: 'Änn', picture: '' })
      .setProtectedHeader({ alg: 'RS256', kid: 'test' })
      .setIssuer('https://accounts.google.com')
      .setAudience(clientId)
      .setSubject('117')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
    standIns = await startStandIns(folder, credential);
    await machine.must(
      `mkdir --parents /srv/keys ${dropIn.replace(/\/[^/]*$/, '')}` +
        ` && echo '${JSON.stringify(keys)}' >/srv/keys/certs` +
        ` && systemd-run --quiet --unit=test-keys python3 -m http.server --directory /srv/keys --bind 127.0.0.1 ${keysPort}` +
        ` && printf '[Service]\\nEnvironment=GOOGLE_JWKS_URL=http://127.0.0.1:${keysPort}/certs\\nIPAddressAllow=localhost\\n' >${dropIn}`,
    );
    await converge(machine, { arguments: arguments_, vars });
    await psql(
      machine,
      "insert into animal (name, location_name, latitude, longitude) values ('Without a picture', '', 1, 2)",
    );
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--no-proxy-server',
        '--ignore-certificate-errors',
        `--host-resolver-rules=${[
          `MAP ${domain} ${machine.address}`,
          `MAP ${consoleDomain} ${machine.address}`,
          ...['fonts.googleapis.com', 'fonts.gstatic.com', 'accounts.google.com'].map(
            (host) => `MAP ${host} 127.0.0.1:${standIns.port}`,
          ),
          'MAP * ~NOTFOUND',
        ].join(',')}`,
      ],
    });
    if (pictures) mkdirSync(pictures, { recursive: true });
  });

  beforeEach(() => (problems = []));

  after('close the browser', async () => {
    await browser?.close();
    standIns?.close();
    rmSync(folder, { recursive: true });
  });

  it('shows the kiosk, and stores its first pin', async () => {
    const pins = async () => Number(await psql(machine, 'select count(*) from pin'));
    const before = await pins();
    const page = await open(`https://${domain}/`);
    await page.getByText('42').waitFor();
    await page.getByText('1 font').waitFor();
    await page.getByText('Start').click();
    await page.locator('#pin').filter({ hasText: 'Laguna Beach' }).waitFor();
    expect(await pins()).to.equal(before + 1);
    await page.waitForFunction(
      '[...document.images].length > 0 && [...document.images].every((one) => one.naturalWidth > 0)',
    );
    await picture(page, 'kiosk');
    expect(problems).to.deep.equal([]);
  });

  it('rejects a build that needs more permissions, with the lines to add', async () => {
    const [client, other] = vars.nginx_clients;
    const bare = { domain: client!.domain, src: client!.src };
    const { code, failure } = await machine.play({
      arguments: ['--tags', 'nginx', '--check'],
      vars: { ...vars, nginx_clients: [bare, other] },
    });
    expect(code).not.to.equal(0);
    expect(failure?.message).to.contain('    unsafe_eval: true\n');
    expect(failure?.message).to.contain(
      '    sources: ["https://fonts.googleapis.com", "https://fonts.gstatic.com"]\n',
    );
    expect(failure?.message).not.to.contain('w3.org');
  });

  it('allows code evaluation only for the client that declares it', async () => {
    const policy = async (host: string) =>
      String((await ask(machine, '/', { host })).headers['content-security-policy']);
    expect(await policy(domain)).to.contain("'unsafe-eval'");
    expect(await policy(consoleDomain)).not.to.contain("'unsafe-eval'");
  });

  for (const [mode, path] of [
    ['with a pop-up', '/sign-in'],
    ['with a redirect', '/sign-in?mode=redirect'],
  ] as const) {
    it(`signs staff in ${mode}, and the console accepts the session`, async () => {
      const page = await open(`https://${consoleDomain}${path}`);
      await page.getByRole('button', { name: 'Sign in with Google' }).waitFor();
      await picture(page, path.replaceAll(/\W/g, ''));
      await page.getByRole('button').click();
      await page.getByText('/dashboard of Änn').waitFor();
      await page.getByText(/\d answers/).waitFor();
      await picture(page, `dashboard-${path.replaceAll(/\W/g, '')}`);
      await page.goto(`https://${consoleDomain}/survey/new`);
      await page.getByText('/survey/new of Änn').waitFor();
      expect(problems).to.deep.equal([]);
    });
  }

  // 16 MB, and 22 MB in base64: more than nginx accepts for any other request.
  it('stores a photo of 24 megapixels that staff upload, and returns a small one', async () => {
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const photo = await sharp({
      create: { width: 6000, height: 4000, channels: 3, background: 'grey', noise },
    })
      .jpeg({ quality: 90 })
      .toBuffer();
    const headers = { Authorization: `Bearer ${credential}` };
    const animal = {
      animal_name: 'Photographed',
      location_name: 'Here',
      placement_year: null,
      lat: 1,
      long: 2,
      animal_images: photo.toString('base64'),
    };
    expect(photo.length).to.be.above(8e6);
    const added = await ask(machine, '/api/animal_locations', { headers, body: animal, timeout: 60_000 });
    expect(added.status, added.body.slice(0, 300)).to.equal(200);
    const { id, picture_url } = JSON.parse(added.body) as { id: number; picture_url: string };
    const small = await ask(machine, `${picture_url}?width=640`, { headers: { Accept: 'image/webp,*/*' } });
    expect(small.status).to.equal(200);
    expect(small.headers['content-type']).to.equal('image/webp');
    expect(Number(small.headers['content-length'])).to.be.below(200_000);
    const deleted = await ask(machine, `/api/animal_locations/${id}`, { method: 'DELETE', headers });
    expect(deleted.status, deleted.body).to.equal(200);
  });

  it("redirects visitors without a session to the console's login page", async () => {
    const page = await open(`https://${consoleDomain}/dashboard`);
    await page.waitForURL('**/login');
  });

  it('shows an error page for an unknown address', async () => {
    const page = await open(`https://${consoleDomain}/nothing.here`);
    await page.getByText('There is nothing at this address.').waitFor();
    await picture(page, 'unknown');
  });
});
