import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect } from 'chai';
import { smtpMailer } from '../mail/mailer.ts';
import { useApi, type TestApi } from '../testing/api.ts';
import { attachmentsOf, mailPassword, startMailServer, type MailServer } from '../testing/mail-server.ts';

const from = 'Visitor map <map@example.org>';
const send = (api: TestApi, email_address = 'director@example.org') =>
  api.staff.post('/admin/email', { email_address });
/** Everything that the client and the log received. */
const told = (api: TestApi, body: unknown) => JSON.stringify([body, api.log.entries]);

describe('reports by mail', () => {
  let server: MailServer;
  before(async () => {
    server = await startMailServer();
  });
  after(() => server.close());
  beforeEach(() => server.mails.splice(0));
  const api = useApi(({ log }) => ({
    mailer: (mail) => smtpMailer({ url: `smtp://127.0.0.1:${server.port}`, from }, log)(mail),
  }));

  it('are sent as three CSV files', async () => {
    const { db } = api.database;
    await db('question').insert({ text: '¿Qué?' });
    await db('option').insert({ question_id: 1, text: '=1' });
    await db('visitor_response').insert({ option_id: 1, answered_at: new Date('2026-07-01T12:00:00Z') });
    const { status, body } = await send(api);
    expect(status, body.message).to.equal(200);
    expect(body).to.deep.equal({ success: true, message: 'The reports were sent.' });
    expect(server.mails).to.have.length(1);
    const [mail] = server.mails;
    expect(mail).to.deep.include({ from: 'map@example.org', to: ['director@example.org'] });
    expect(mail?.text).to.include('From: Visitor map <map@example.org>').and.include('Subject: Reports');
    expect(mail && attachmentsOf(mail)).to.deep.equal({
      'survey_responses.csv': `\uFEFF"question","option_selected","timestamp"\r\n"¿Qué?","'=1","2026-07-01T12:00:00.000Z"\r\n`,
      'pin_responses.csv': '\uFEFF"city","state","country","visit_date"\r\n',
      'donation_visits.csv': '\uFEFF"visit_counter","timestamp"\r\n',
    });
  });

  it('are rejected with a message if they are too large for a mail', async function () {
    this.timeout(30_000);
    await api.database.db.raw(
      `insert into pin (latitude, longitude, country, city)
       select 1, 2, 'Canada', repeat('x', 1000) from generate_series(1, 7000)`,
    );
    const { status, body } = await send(api);
    expect(status).to.equal(422);
    expect(body.message).to.equal(
      'The reports exceed 7 MB together, which is too large for a mail: download them instead.',
    );
    expect(server.mails).to.deep.equal([]);
  });

  it('are a 422 if the server rejects the address', async () => {
    const { status, body } = await send(api, 'missing@example.org');
    expect(status).to.equal(422);
    expect(body.message).to.equal('The mail server refuses this address.');
  });

  it('are a 503 if the server rejects the address only for now', async () => {
    expect((await send(api, 'busy@example.org')).status).to.equal(503);
  });

  it('are sent only by staff', async () => {
    expect((await api.post('/admin/email', { email_address: 'a@example.org' })).status).to.equal(401);
    expect(server.mails).to.deep.equal([]);
  });

  for (const [what, body] of Object.entries({
    nothing: '',
    'no address': {},
    'an additional field': { email_address: 'a@example.org', cc: 'b@example.org' },
    'a number': { email_address: 1 },
    'an empty address': { email_address: '' },
    'two addresses': { email_address: 'a@example.org, b@example.org' },
    'two addresses in a list': { email_address: ['a@example.org', 'b@example.org'] },
    'an address with a name': { email_address: 'A <a@example.org>' },
    'no domain': { email_address: 'a' },
    'an address that is too long': { email_address: `${'a'.repeat(60)}@${'b.'.repeat(100)}example.org` },
    'a NUL': { email_address: 'a\0@example.org' },
    'an injected header': { email_address: 'a@example.org\r\nBcc: b@example.org' },
  })) {
    it(`are a 400 with ${what}`, async () => {
      expect((await api.staff.post('/admin/email', body)).status).to.equal(400);
      expect(server.mails).to.deep.equal([]);
    });
  }

  it('accept an address of any domain', async () => {
    for (const address of ['a@b.invalid', "o'neil+x@example.co.uk", 'info@münchen.example']) {
      const { status, body } = await send(api, address);
      expect(status, body.message).to.equal(200);
    }
    expect(server.mails.map(({ to }) => to[0])).to.deep.equal([
      'a@b.invalid',
      "o'neil+x@example.co.uk",
      // The address is sent as xn--mnchen-3ya, which this server decodes.
      'info@münchen.example',
    ]);
  });
});

describe('reports by mail with a password', () => {
  let server: MailServer;
  let password = mailPassword;
  before(async () => {
    server = await startMailServer({ password: true });
  });
  after(() => server.close());
  const api = useApi(({ log }) => ({
    mailer: (mail) => {
      const url = `smtp://map:${encodeURIComponent(password)}@127.0.0.1:${server.port}`;
      return smtpMailer({ url, from }, log)(mail);
    },
  }));

  it('are sent with the correct password', async () => {
    expect((await send(api)).status).to.equal(200);
    expect(server.mails).to.have.length(1);
  });

  it('are a 503 with a wrong password, which no response or log contains', async () => {
    password = 'hush/hush';
    const { status, body } = await send(api);
    expect(status).to.equal(503);
    expect(api.log.entries.at(-1)).to.deep.include({
      message: 'mail not sent',
      code: 'EAUTH',
      responseCode: 535,
    });
    expect(told(api, body)).not.to.include('hush').and.not.include('director@example.org');
  });
});

describe('reports by mail while the mail server is down', () => {
  let url = '';
  const api = useApi(({ log }) => ({ mailer: (mail) => smtpMailer({ url, from }, log)(mail) }));
  const sentence = 'The mail cannot be sent at the moment: please try again later, or download the reports.';

  it('are a 503 if nothing listens', async () => {
    const server = await startMailServer();
    url = `smtp://map:hush@127.0.0.1:${server.port}`;
    await server.close();
    const { status, body } = await send(api);
    expect(status).to.equal(503);
    expect(body.message).to.equal(sentence);
    expect(api.log.entries.at(-1)).to.deep.include({ level: 'error', message: 'mail not sent' });
    expect(told(api, body)).not.to.include('hush');
  });

  for (const [what, behave] of Object.entries({
    'hangs up': (socket: Socket) => socket.destroy(),
    'uses another protocol': (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'is too busy': (socket: Socket) => socket.end('421 too busy\r\n'),
  })) {
    it(`are a 503 if the server ${what}`, async () => {
      const server = createServer(behave).listen(0, '127.0.0.1');
      await once(server, 'listening');
      url = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        const { status, body } = await send(api);
        expect(status).to.equal(503);
        expect(body.message).to.equal(sentence);
      } finally {
        server.close();
      }
    });
  }

  it('are never sent unencrypted to an smtps: URL', async () => {
    const server = await startMailServer();
    url = `smtps://127.0.0.1:${server.port}`;
    const { status } = await send(api);
    await server.close();
    expect(status).to.equal(503);
    expect(server.mails).to.deep.equal([]);
  });

  it('never send a password unencrypted, except on this machine', async () => {
    const server = await startMailServer();
    // An address of this machine that does not look like one.
    url = `smtp://map:hush@[::ffff:127.0.0.1]:${server.port}`;
    const { status } = await send(api);
    await server.close();
    expect(status).to.equal(503);
    expect(api.log.entries.at(-1)?.['code']).to.be.oneOf(['ETLS', 'ECONNECTION', 'ESOCKET']);
    expect(server.mails).to.deep.equal([]);
  });
});

describe('reports by mail without a mail server', () => {
  const api = useApi();

  it('are a 503 that names the variables to set', async () => {
    const { status, body } = await send(api);
    expect(status).to.equal(503);
    expect(body.message).to.equal('No mail server is configured: set SMTP_URL and MAIL_FROM.');
  });
});
