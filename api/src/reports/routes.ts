import { unavailable } from '../http/errors.ts';
import { done } from '../http/fields.ts';
import { list } from '../http/list.ts';
import { asCsv, csv } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import type { Mailer } from '../mail/mailer.ts';
import { settingName } from '../setting-name.ts';
import { reportMail } from './mail.ts';
import type { Report } from './reports.ts';
import { format, recipient } from './schema.ts';

/** `mailer` is null if no mail server is configured. */
export function reportRoutes(reports: readonly Report[], mailer: Mailer | null): Route[] {
  const downloads = reports.map((report) =>
    route(
      {
        method: 'get',
        path: `/api/admin/${report.name}`,
        access: 'staff',
        summary: report.summary,
        input: { query: format },
        output: report.output,
        also: [asCsv],
      },
      ({ query }) =>
        query.f === 'csv' ? csv(report.csv(), `${report.name}.csv`) : list('responses', report.rows()),
    ),
  );
  return [
    ...downloads,
    route(
      {
        method: 'post',
        path: '/admin/email',
        access: 'staff',
        stores: false,
        summary: 'Sends all reports as CSV attachments to an e-mail address.',
        input: { body: recipient },
        output: done,
        refuses: { 422: 'The reports are too large for a mail, or the mail server refuses the address.' },
      },
      async ({ body }) => {
        if (!mailer)
          throw unavailable(
            `No mail server is configured: set ${settingName('SMTP_URL')} and ${settingName('MAIL_FROM')}.`,
          );
        await mailer(await reportMail(reports, body.email_address));
        return { success: true, message: 'The reports were sent.' };
      },
    ),
  ];
}
