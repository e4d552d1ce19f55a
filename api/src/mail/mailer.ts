import { createTransport } from 'nodemailer';
import { unavailable, unprocessable } from '../http/errors.ts';
import type { Log } from '../log.ts';

export type Mail = {
  to: string;
  subject: string;
  text: string;
  attachments: { filename: string; contentType: string; content: Buffer }[];
};

/**
 * Hands a mail to the mail server. Throws 422 if the server refuses the address, and 503 if sending fails for another
 * reason.
 */
export type Mailer = (mail: Mail) => Promise<void>;

export type MailServer = {
  /** `smtp://user:password@host:port`, or `smtps:` for implicit TLS. The port defaults to 587, or 465 for `smtps:`. */
  url: string;
  /** The sender address. */
  from: string;
};

const patience = 10_000;
const deadline = 45_000;

/** Creates a mailer that uses SMTP. A password is never sent over an unencrypted network connection. */
export function smtpMailer({ url, from }: MailServer, log: Log): Mailer {
  const { protocol, hostname, port, username, password } = new URL(url);
  const transport = createTransport({
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(port && { port: Number(port) }),
    secure: protocol === 'smtps:',
    ...(username && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
      requireTLS: !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname),
    }),
    connectionTimeout: patience,
    dnsTimeout: patience,
    greetingTimeout: patience,
    socketTimeout: patience,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return async (mail) => {
    try {
      await transport.sendMail({ from, ...mail, signal: AbortSignal.timeout(deadline) });
    } catch (error) {
      const { code, command, responseCode, message } = error as {
        code?: string;
        command?: string;
        responseCode?: number;
        message?: string;
      };
      if (command === 'RCPT TO' && responseCode !== undefined && responseCode >= 500) {
        throw unprocessable('The mail server refuses this address.');
      }
      // The server's reply may quote the address.
      log.error('mail not sent', { code, command, responseCode, ...(!responseCode && { cause: message }) });
      throw unavailable(
        'The mail cannot be sent at the moment: please try again later, or download the reports.',
      );
    }
  };
}
