import { unprocessable } from '../http/errors.ts';
import type { Mail } from '../mail/mailer.ts';
import type { Report } from './reports.ts';

/**
 * The maximum size of all attachments in bytes. Base64 enlarges them by 37 %, and many servers reject mails above 10
 * MB.
 */
const most = 7_000_000;

/** Creates a mail with all reports as CSV. Throws 422 if they are too large for one mail. */
export async function reportMail(reports: readonly Report[], to: string): Promise<Mail> {
  const attachments: Mail['attachments'] = [];
  let left = most;
  for (const { name, csv } of reports) {
    const chunks: Buffer[] = [];
    for await (const text of csv()) {
      const chunk = Buffer.from(text);
      left -= chunk.length;
      if (left < 0) {
        throw unprocessable(
          `The reports exceed ${most / 1e6} MB together, which is too large for a mail: download them instead.`,
        );
      }
      chunks.push(chunk);
    }
    attachments.push({
      filename: `${name}.csv`,
      contentType: 'text/csv; charset=utf-8',
      content: Buffer.concat(chunks),
    });
  }
  return {
    to,
    subject: 'Reports of the visitor map',
    text: 'The survey responses, the pins and the visits to the donation page are attached as tables.\n',
    attachments,
  };
}
