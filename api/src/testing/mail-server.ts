import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export type ReceivedMail = { from: string; to: string[]; text: string };

/**
 * A mail server on this machine. It rejects the mailbox `missing` permanently and the mailbox `busy` temporarily. If it
 * requires a password, it accepts only `mailPassword`.
 */
export type MailServer = { port: number; mails: ReceivedMail[]; close(): Promise<void> };

export const mailPassword = 'gehe:im/ @1%';

export async function startMailServer({ password = false } = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const server = new SMTPServer({
    authOptional: !password,
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    onAuth(auth, _session, done) {
      const known = auth.username === 'map' && auth.password === mailPassword;
      done(known ? null : new Error(`no such password: ${auth.password}`), { user: 'map' });
    },
    onRcptTo({ address }, _session, done) {
      const [mailbox = ''] = address.split('@');
      const responseCode = { missing: 550, busy: 450 }[mailbox];
      done(responseCode ? Object.assign(new Error(`no mailbox ${address} here`), { responseCode }) : null);
    },
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push({
          from: envelope.mailFrom ? envelope.mailFrom.address : '',
          to: envelope.rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
        });
        done();
      });
    },
  });
  // Some tests disconnect early.
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return {
    port: (listening.address() as AddressInfo).port,
    mails,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

/** Returns the files attached to a mail, by name. */
export function attachmentsOf({ text }: ReceivedMail): Record<string, string> {
  const boundary = /boundary="([^"]+)"/.exec(text)?.[1] ?? '';
  const parts = text.split(`--${boundary}`).slice(1, -1);
  return Object.fromEntries(
    parts.flatMap((part) => {
      const [head = '', ...body] = part.split('\r\n\r\n');
      const name = /filename="?([^"\r\n]+)"?/.exec(head)?.[1];
      return name ? [[name, Buffer.from(body.join(''), 'base64').toString()]] : [];
    }),
  );
}
