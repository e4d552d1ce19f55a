import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { BadConfiguration, describeVariables, readConfig } from './config.ts';
import { settingName } from './setting-name.ts';

const databaseUrl = 'postgresql:///map-app?host=/run/postgresql';
const sessionKey = '0123456789abcdef'.repeat(4);

describe('readConfig', () => {
  const credentials = mkdtempSync(join(tmpdir(), 'map-app-credentials-'));
  after(() => rmSync(credentials, { recursive: true }));

  const complaint = (env: Record<string, string>): string => {
    try {
      readConfig(env);
    } catch (error) {
      expect(error).to.be.instanceOf(BadConfiguration);
      return (error as Error).message;
    }
    throw new Error('The configuration was accepted.');
  };

  it('requires nothing: defaults to the embedded database and a loopback address', () => {
    const config = readConfig({});
    expect(config.database.kind).to.equal('embedded');
    expect(config.listen).to.deep.equal({ host: '127.0.0.1', port: 3000 });
    expect([...config.corsOrigins]).to.deep.equal([]);
    expect(config.google).to.deep.equal({
      clientId: null,
      keysUrl: 'https://www.googleapis.com/oauth2/v3/certs',
      hostedDomains: new Set(),
      listed: new Set(),
    });
  });

  it('reads every variable from the environment', () => {
    const config = readConfig({
      DATABASE_URL: databaseUrl,
      SESSION_KEY: sessionKey,
      DATABASE_FOLDER: '/var/lib/postgresql',
      DISK_RESERVE: '800',
      HOST: '::1',
      PORT: '0',
      WORKER_SOCKET: '/run/worker.sock',
      CORS_ORIGINS: 'https://kiosk.example.org, http://localhost:5173',
      GOOGLE_CLIENT_ID: 'abc.apps.googleusercontent.com',
      GOOGLE_JWKS_URL: 'http://127.0.0.1:8080/keys',
      GOOGLE_HOSTED_DOMAINS: 'Example.org, example.com',
      STAFF_EMAILS: 'Ann@Example.org, bob@example.org',
      DONATION_URL: 'https://www.example.org/donate',
      GEOCODER_URL: 'https://geocoder.example.org/v1/json?language=en',
      GEOCODER_KEY: 'secret',
      IMAGE_URL: 'https://images.example.org/{city}.jpg',
      SMTP_URL: 'smtp://mail.example.org:587',
      MAIL_FROM: 'map@example.org',
      RETENTION_DAYS: '365',
    });
    expect(config).to.deep.equal({
      database: { kind: 'postgresql', url: databaseUrl },
      disk: { folder: '/var/lib/postgresql', reserve: 800 },
      listen: { host: '::1', port: 0 },
      workerSocket: '/run/worker.sock',
      sessionKey: Buffer.from(sessionKey, 'hex'),
      corsOrigins: new Set(['https://kiosk.example.org', 'http://localhost:5173']),
      google: {
        clientId: 'abc.apps.googleusercontent.com',
        keysUrl: 'http://127.0.0.1:8080/keys',
        hostedDomains: new Set(['example.org', 'example.com']),
        listed: new Set(['ann@example.org', 'bob@example.org']),
      },
      staffEmails: new Set(['ann@example.org', 'bob@example.org']),
      donationUrl: 'https://www.example.org/donate',
      geocoder: { url: 'https://geocoder.example.org/v1/json?language=en', key: 'secret' },
      imageUrl: 'https://images.example.org/{city}.jpg',
      mail: { url: 'smtp://mail.example.org:587', from: 'map@example.org' },
      retentionDays: 365,
    });
  });

  it('reads a variable from a file of its name, and ignores other files', () => {
    writeFileSync(join(credentials, 'SESSION_KEY'), `${sessionKey}\n`);
    writeFileSync(join(credentials, 'OF_SOMETHING_ELSE'), 'x');
    const config = readConfig({ DATABASE_URL: databaseUrl, CREDENTIALS_DIRECTORY: credentials });
    expect(config.sessionKey).to.deep.equal(Buffer.from(sessionKey, 'hex'));
  });

  it('rejects a variable from both, even with equal values', () => {
    writeFileSync(join(credentials, 'SESSION_KEY'), sessionKey);
    const sentence = complaint({
      DATABASE_URL: databaseUrl,
      SESSION_KEY: sessionKey,
      CREDENTIALS_DIRECTORY: credentials,
    });
    expect(sentence).to.match(/^SESSION_KEY is set both/);
    expect(sentence).not.to.include(sessionKey);
  });

  it('treats an empty variable as not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '' }).listen.port).to.equal(3000);
  });

  it('requires a session key with a database server', () => {
    expect(complaint({ DATABASE_URL: databaseUrl })).to.match(/^SESSION_KEY is required/);
  });

  const bad: Record<string, string[]> = {
    DATABASE_URL: ['mysql://user:geheim@host/db', 'geheim', 'postgresql://geheim:99999999/x'],
    PORT: ['65536', '-1', '80a', '1e3', ' 80', '0x50'],
    SESSION_KEY: ['geheim', sessionKey.slice(1), `${sessionKey}0`, 'g'.repeat(64)],
    CORS_ORIGINS: [
      'geheim.example.org',
      'https://kiosk.example.org/',
      'https://a.example,,https://b.example',
      'null',
    ],
    GOOGLE_JWKS_URL: ['geheim', 'http://geheim.example.org/', 'http://127.0.0.1.geheim.example.org/'],
    GOOGLE_HOSTED_DOMAINS: ['geheim', 'a@geheim.org', 'https://geheim.org', 'example.org,,geheim.org'],
    DONATION_URL: ['geheim', 'javascript:geheim', 'www.geheim.org/donate', 'ftp://geheim.org'],
    GEOCODER_URL: ['geheim', 'geheim://example.org', 'https://geheim:99999'],
    IMAGE_URL: ['geheim', 'https://{city}.geheim.org/', 'https://geheim{city}', 'https://geheim.org#{city}'],
    SMTP_URL: [
      'geheim',
      'https://map:geheim@mail.example.com',
      'smtp://map:geheim@',
      'smtp://map:geheim%@mail.example.com',
      'smtp://map:geheim@mail.example.com:99999',
      'smtp://map:geheim@mail.example.com/inbox',
      'smtp://map:geheim@mail.example.com?tls.rejectUnauthorized=false',
    ],
    MAIL_FROM: [
      'geheim',
      'geheim@',
      'Map <geheim>',
      'a@geheim.org, b@geheim.org',
      'Map <a@geheim.org>\r\nBcc: x@y.z',
    ],
    RETENTION_DAYS: ['0', '-1', '1.5', '1e3', '365 days', '100000'],
    STAFF_EMAILS: ['geheim', 'ann@example.org,,bob@example.org', 'ann@example.org bob@geheim.org'],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      it(`names ${name} and never its value: ${value.slice(0, 30)}`, () => {
        const sentence = complaint({
          [name]: value,
          ...(name === 'DATABASE_URL' && { SESSION_KEY: sessionKey }),
        });
        expect(sentence).to.match(new RegExp(`^${name} must be `));
        expect(sentence).not.to.include(value.trim());
      });
    }
  }

  it('sends mail if both the server and the sender are set', () => {
    const smtpUrl = 'smtps://map:p%40ss@mail.example.org';
    for (const mailFrom of ['map@example.org', 'Visitor map <map@example.org>']) {
      expect(readConfig({ SMTP_URL: smtpUrl, MAIL_FROM: mailFrom }).mail).to.deep.equal({
        url: smtpUrl,
        from: mailFrom,
      });
    }
    expect(readConfig({}).mail).to.equal(null);
    expect(complaint({ SMTP_URL: smtpUrl })).to.match(/^SMTP_URL and MAIL_FROM go together/);
    expect(complaint({ MAIL_FROM: 'map@example.org' })).to.match(/^SMTP_URL and MAIL_FROM go together/);
  });

  it('reads the donation URL, in ASCII, and the retention time', () => {
    const config = readConfig({ DONATION_URL: 'https://example.org/dönate?a=b', RETENTION_DAYS: '365' });
    expect(config.donationUrl).to.equal('https://example.org/d%C3%B6nate?a=b');
    expect(config.retentionDays).to.equal(365);
    expect(readConfig({})).to.deep.include({ donationUrl: null, retentionDays: null });
  });

  it('rejects a key without a geocoder', () => {
    expect(complaint({ GEOCODER_KEY: 'geheim' }))
      .to.match(/^GEOCODER_KEY has no effect/)
      .and.not.include('geheim');
  });

  it('names the Ansible variables on a machine that Ansible has set up', () => {
    const onMachine = (env: Record<string, string>) => complaint({ ...env, SETTING_PREFIX: 'map_app_' });
    expect(onMachine({ STAFF_EMAILS: 'geheim' })).to.match(/^map_app_staff_emails must be/);
    expect(onMachine({ MAIL_FROM: 'map@example.org' })).to.match(
      /^map_app_smtp_url and map_app_mail_from go/,
    );
    expect(onMachine({ DATABASE_URL: databaseUrl })).to.match(
      /^map_app_session_key is required if map_app_database_url/,
    );
  });

  it('has an Ansible variable of that name for each setting in the environment file of the role', () => {
    const role = (file: string) =>
      readFileSync(new URL(`../../roles/map_app/${file}`, import.meta.url), 'utf8');
    const written = [...role('templates/map-app.env.j2').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
    const settings = written.filter((name) => !['DATABASE_FOLDER', 'SETTING_PREFIX'].includes(name));
    expect(settings).to.include('STAFF_EMAILS');
    for (const name of settings) {
      expect(role('meta/argument_specs.yml')).to.contain(
        ` ${settingName(name, { SETTING_PREFIX: 'map_app_' })}:`,
      );
    }
  });

  it('describes every variable that the role sets', () => {
    const template = readFileSync(
      new URL('../../roles/map_app/templates/map-app.env.j2', import.meta.url),
      'utf8',
    );
    const written = [...template.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
    for (const name of written.filter((name) => name !== 'SETTING_PREFIX')) {
      expect(describeVariables()).to.match(new RegExp(`^  ${name} +[A-Z].+\\.$`, 'm'));
    }
  });

  it('is named in every message by the name that the operator edits', () => {
    const names =
      /\b(DATABASE_URL|DISK_RESERVE|SESSION_KEY|CORS_ORIGINS|GOOGLE_\w+|STAFF_EMAILS|DONATION_URL|GEOCODER_\w+|IMAGE_URL|SMTP_URL|MAIL_FROM|RETENTION_DAYS)\b/;
    // Messages to users who run the API without Ansible.
    const elsewhere = /Without (DATABASE_URL|Ansible)/;
    const files = globSync('**/*.ts', { cwd: new URL('.', import.meta.url).pathname }).filter(
      (file) => !/\.test\.ts$|^testing\/|^(config|setting-name)\.ts$/.test(file),
    );
    expect(files).to.include('staff/token.ts');
    const lines = files.flatMap((file) => readFileSync(new URL(file, import.meta.url), 'utf8').split('\n'));
    const wrong = lines
      .filter((line) => !/^\s*(\*|\/[/*])/.test(line) && !elsewhere.test(line))
      .filter((line) => names.test(line.replaceAll(/settingName\('\w+'\)/g, '')));
    expect(wrong).to.deep.equal([]);
  });

  it('watches the disk of the embedded database, and accepts an IPv6 address in brackets', () => {
    const config = readConfig({ DATA_DIR: '/data', DISK_RESERVE: '80', HOST: '[::1]' });
    expect(config.database).to.deep.equal({ kind: 'embedded', folder: '/data', reserve: 80 });
    expect(config.listen.host).to.equal('::1');
    expect(complaint({ DATABASE_URL: databaseUrl, SESSION_KEY: sessionKey, DISK_RESERVE: '80' })).to.match(
      /^DISK_RESERVE .* DATABASE_FOLDER/,
    );
  });

  it('reports all problems at once', () => {
    expect(complaint({ PORT: 'x', CORS_ORIGINS: 'y', DATABASE_URL: databaseUrl }).split('\n')).to.have.length(
      3,
    );
  });

  it('accepts the URLs that psql accepts', () => {
    for (const url of [
      'postgres://user:secret@db.example.org:5433/map',
      'postgresql://postgres@/postgres?host=/tmp/socket',
      'postgresql:///map-app',
    ]) {
      expect(readConfig({ DATABASE_URL: url, SESSION_KEY: sessionKey }).database).to.deep.equal({
        kind: 'postgresql',
        url,
      });
    }
  });
});
