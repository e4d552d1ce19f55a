import winston from 'winston';

/** What the program tells its operator. Neither addresses nor names nor coordinates of visitors belong in it. */
export type Log = Pick<winston.Logger, 'error' | 'warn' | 'info'>;

/** One JSON object a line on stdout, where systemd's journal picks it up. */
export function createLog(): Log {
  return winston.createLogger({
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ forceConsole: false })],
  });
}

/** An error as fields of a log entry. PostgreSQL's `detail` is left out: it quotes what visitors sent. */
export function causeOf(error: unknown): {
  cause: string;
  code?: string | undefined;
  stack?: string | undefined;
} {
  if (!(error instanceof Error)) return { cause: String(error) };
  return { cause: error.message, code: (error as { code?: string }).code, stack: error.stack };
}
