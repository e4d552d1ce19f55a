import { settingName } from '../setting-name.ts';

type Failure = { code?: unknown; syscall?: unknown; name?: unknown; message?: unknown };

/**
 * Returns a sentence that tells an operator why the database cannot be used, or null if `error` is of another kind.
 * Clients receive 503 for such an error: the request is valid and may succeed later.
 */
export function trouble(error: unknown): string | null {
  const { code, syscall, name, message } = (error ?? {}) as Failure;
  const text = String(message);
  if (name === 'KnexTimeoutError') return 'The database does not respond in time.';
  if (typeof syscall === 'string' && connecting.has(syscall)) {
    return `The database cannot be reached (${String(code)}): is PostgreSQL running, and does ${settingName('DATABASE_URL')} point to it?`;
  }
  if (typeof code !== 'string') {
    // The driver sets no code for these errors, and knex puts the SQL before the message.
    return /Connection terminated|timeout expired|Client has encountered a connection error/.test(text)
      ? 'The connection to the database was lost.'
      : null;
  }
  const sentence = byCode[code] ?? byClass[code.slice(0, 2)];
  return sentence ? `${sentence} (PostgreSQL error ${code}).` : null;
}

const connecting = new Set(['connect', 'read', 'write', 'getaddrinfo']);

const schema = 'The schema is not the one this release needs: run "map-app migrate"';
const refused = 'The database rejects the role of this service: check pg_hba.conf and that the role exists';

const byCode: Record<string, string> = {
  '25006': 'The database is read-only',
  '28000': refused,
  '28P01': refused,
  '3D000': `The database that ${settingName('DATABASE_URL')} names does not exist`,
  '40001': 'The database is too busy with conflicting writes',
  '40P01': 'The database is too busy with conflicting writes',
  '42501': 'The role of this service lacks rights on its tables: run "map-app migrate"',
  '42703': schema,
  '42883': schema,
  '42P01': schema,
  '55P03': 'The database is waiting for a lock',
  '57014': 'The database does not respond in time',
  '57P01': 'The database is shutting down',
  '57P02': 'The database has crashed and is restarting',
  '57P03': 'The database is starting up',
};

/**
 * By the class of the code, its first two characters: connection exceptions, insufficient resources (disk, memory,
 * connections), system errors.
 */
const byClass: Record<string, string> = {
  '08': 'The connection to the database was lost',
  '53': 'The database is out of resources: check its disk, its memory and max_connections',
  '58': 'The database cannot use its files',
};
