import winston from 'winston';

/** The program's log for its operator. It must not contain addresses, names or coordinates of visitors. */
export type Log = Pick<winston.Logger, 'error' | 'warn' | 'info'>;

/** Creates a log that writes one JSON object per line to stdout, from where systemd's journal reads it. */
export function createLog(): Log {
  return winston.createLogger({
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ forceConsole: false })],
  });
}

/** Returns an error as fields of a log entry. Omits PostgreSQL's `detail`, which quotes data of visitors. */
export function causeOf(error: unknown): {
  cause: string;
  code?: string | undefined;
  stack?: string | undefined;
} {
  if (!(error instanceof Error)) return { cause: String(error) };
  return { cause: error.message, code: (error as { code?: string }).code, stack: error.stack };
}
