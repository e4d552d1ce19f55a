import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emailAddress } from './email.ts';
import { settingName } from './setting-name.ts';
import { version } from './version.ts';

/** Settings for the verification of Google's ID tokens. Domains and addresses are in lower case. */
export type GoogleSettings = {
  /** The id of the application that tokens must be issued for. */
  clientId: string | null;
  /** The URL of Google's public keys. */
  keysUrl: string;
  /** Google Workspace domains whose members may have addresses of other domains. */
  hostedDomains: ReadonlySet<string>;
  /** Addresses that may sign in even if Google does not host them: the operator knows their owners. */
  listed: ReadonlySet<string>;
};

/** The embedded database checks the limits of `Disk` itself. */
export type DatabasePlace = { kind: 'postgresql'; url: string } | ({ kind: 'embedded' } & Disk);

/** A folder on the disk of the database, and the megabytes that must stay free there for the database itself. */
export type Disk = { folder: string; reserve: number };

export type Config = {
  database: DatabasePlace;
  /** Null if this process does not watch the disk of the database. */
  disk: Disk | null;
  /** The address to listen on if systemd passes no socket. */
  listen: { host: string; port: number };
  /** The path of this worker's own socket, in addition to the socket that all workers share. */
  workerSocket: string | null;
  /** 32 bytes. */
  sessionKey: Buffer | null;
  /** Origins of other sites whose pages may call the API; `*` means all. */
  corsOrigins: ReadonlySet<string>;
  /** Without a client id, sign-in is not possible. */
  google: GoogleSettings;
  /** In lower case. */
  staffEmails: ReadonlySet<string>;
  /** The URL of the donation page. */
  donationUrl: string | null;
  /** The service that geocodes addresses. Null to use the place names that ship with the program. */
  geocoder: { url: string; key: string | null } | null;
  /** The URL of the service with pictures of cities. */
  imageUrl: string | null;
  /** The URL of the mail server, and the sender. */
  mail: { url: string; from: string } | null;
  /** The age in days at which visitors' pins and answers are deleted; null keeps them forever. */
  retentionDays: number | null;
};

/**
 * The configuration is invalid. Each sentence names its variable and never contains its value. The program exits with
 * 2.
 */
export class BadConfiguration extends Error {
  constructor(sentences: string[]) {
    super(sentences.join('\n'));
  }
}

type Environment = Record<string, string | undefined>;

/** The parser of each variable. A parser throws the predicate of a sentence whose subject is the variable's name. */
const variables = {
  DATABASE_URL: databaseUrl,
  DATA_DIR: (text: string) => text,
  DATABASE_FOLDER: (text: string) => text,
  DISK_RESERVE: megabytes,
  // Brackets are allowed as in a URL: [::1].
  HOST: (text: string) => text.replace(/^\[(.*)\]$/, '$1'),
  PORT: port,
  WORKER_SOCKET: (text: string) => text,
  SESSION_KEY: sessionKey,
  CORS_ORIGINS: origins,
  GOOGLE_CLIENT_ID: (text: string) => text,
  GOOGLE_JWKS_URL: keysUrl,
  GOOGLE_HOSTED_DOMAINS: domains,
  STAFF_EMAILS: emailAddresses,
  DONATION_URL: webAddress('https://www.example.org/donate'),
  GEOCODER_URL: webAddress('https://api.opencagedata.com/geocode/v1/json'),
  GEOCODER_KEY: (text: string) => text,
  IMAGE_URL: imageUrl,
  SMTP_URL: smtpUrl,
  MAIL_FROM: sender,
  RETENTION_DAYS: days,
};

type Values = { [Name in keyof typeof variables]?: ReturnType<(typeof variables)[Name]> };

/**
 * Reads the configuration from the environment and from the files in `$CREDENTIALS_DIRECTORY`. Throws
 * `BadConfiguration` with all problems.
 */
export function readConfig(env: Environment): Config {
  const problems: string[] = [];
  const named = (name: keyof Values) => settingName(name, env);
  const texts = readTexts(env, problems);
  const values = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, parse(name as keyof Values, text, named, problems)]),
  ) as Values;
  if (texts.DATABASE_URL !== undefined && texts.SESSION_KEY === undefined) {
    problems.push(
      `${named('SESSION_KEY')} is required if ${named('DATABASE_URL')} is set: generate one with "openssl rand -hex 32".`,
    );
  }
  if ((texts.SMTP_URL === undefined) !== (texts.MAIL_FROM === undefined)) {
    problems.push(
      `${named('SMTP_URL')} and ${named('MAIL_FROM')} go together: set both to send mail, or neither.`,
    );
  }
  if (texts.GEOCODER_KEY !== undefined && texts.GEOCODER_URL === undefined) {
    problems.push(
      `${named('GEOCODER_KEY')} has no effect without ${named('GEOCODER_URL')}: set both, or neither.`,
    );
  }
  if (texts.DISK_RESERVE && texts.DATABASE_URL && !texts.DATABASE_FOLDER) {
    problems.push(
      `DISK_RESERVE has no effect without DATABASE_FOLDER if ${named('DATABASE_URL')} is set: set both, or neither.`,
    );
  }
  if (texts.DATABASE_URL === undefined && version !== 'development') {
    problems.push(`${named('DATABASE_URL')} is required: a release contains no embedded database.`);
  }
  if (problems.length > 0) throw new BadConfiguration(problems);
  return {
    database: values.DATABASE_URL
      ? { kind: 'postgresql', url: values.DATABASE_URL }
      : {
          kind: 'embedded',
          folder: values.DATA_DIR ?? fileURLToPath(new URL('../.data', import.meta.url)),
          reserve: values.DISK_RESERVE ?? 50,
        },
    disk: values.DATABASE_FOLDER
      ? { folder: values.DATABASE_FOLDER, reserve: values.DISK_RESERVE ?? 500 }
      : null,
    listen: { host: values.HOST ?? '127.0.0.1', port: values.PORT ?? 3000 },
    workerSocket: values.WORKER_SOCKET ?? null,
    sessionKey: values.SESSION_KEY ?? null,
    corsOrigins: values.CORS_ORIGINS ?? new Set(),
    google: {
      clientId: values.GOOGLE_CLIENT_ID ?? null,
      keysUrl: values.GOOGLE_JWKS_URL ?? 'https://www.googleapis.com/oauth2/v3/certs',
      hostedDomains: values.GOOGLE_HOSTED_DOMAINS ?? new Set(),
      listed: values.STAFF_EMAILS ?? new Set(),
    },
    staffEmails: values.STAFF_EMAILS ?? new Set(),
    donationUrl: values.DONATION_URL ?? null,
    geocoder: values.GEOCODER_URL ? { url: values.GEOCODER_URL, key: values.GEOCODER_KEY ?? null } : null,
    imageUrl: values.IMAGE_URL ?? null,
    mail: values.SMTP_URL && values.MAIL_FROM ? { url: values.SMTP_URL, from: values.MAIL_FROM } : null,
    retentionDays: values.RETENTION_DAYS ?? null,
  };
}

function readTexts(env: Environment, problems: string[]): { [Name in keyof Values]?: string } {
  const folder = env['CREDENTIALS_DIRECTORY'];
  const files = new Set(folder ? readdirSync(folder) : []);
  const texts: { [Name in keyof Values]?: string } = {};
  for (const name of Object.keys(variables) as (keyof Values)[]) {
    const file = folder && files.has(name) ? readFileSync(join(folder, name), 'utf8').trim() : undefined;
    if (file !== undefined && env[name] !== undefined) {
      problems.push(`${name} is set both in the environment and as a credential: remove one of the two.`);
    }
    // An empty variable counts as not set, as in env files.
    const text = file ?? env[name];
    if (text) texts[name] = text;
  }
  return texts;
}

function parse(
  name: keyof Values,
  text: string,
  named: (name: keyof Values) => string,
  problems: string[],
): unknown {
  try {
    return variables[name](text);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    problems.push(`${named(name)} ${error.message}`);
    return undefined;
  }
}

class Misfit extends Error {}

function databaseUrl(text: string): string {
  // The URL class does not accept a user without a host, but libpq and the driver do.
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text.replace('@/', '@localhost/'))) {
    throw new Misfit('must be an address such as postgresql:///map-app?host=/run/postgresql.');
  }
  return text;
}

function port(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) throw new Misfit('must be a whole number from 0 to 65535.');
  return number;
}

function megabytes(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Misfit('must be a whole number of megabytes, at least 1.');
  return Number(text);
}

function sessionKey(text: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new Misfit('must be 32 bytes as 64 hexadecimal digits: generate one with "openssl rand -hex 32".');
  }
  return Buffer.from(text, 'hex');
}

function origins(text: string): ReadonlySet<string> {
  const list = text.split(',').map((origin) => origin.trim());
  if (list.some((origin) => origin !== '*' && (!URL.canParse(origin) || new URL(origin).origin !== origin))) {
    throw new Misfit('must be origins such as https://kiosk.example.org, separated by commas, or *.');
  }
  return new Set(list);
}

function keysUrl(text: string): string {
  const { protocol, hostname } = URL.canParse(text) ? new URL(text) : { protocol: '', hostname: '' };
  // An attacker who can replace the keys in transit can sign in as anyone.
  const safe = protocol === 'https:' || (protocol === 'http:' && hostname === '127.0.0.1');
  if (!safe) throw new Misfit('must be an address that begins with https://, or with http://127.0.0.1.');
  return text;
}

function emailAddresses(text: string): ReadonlySet<string> {
  const list = text.split(',').map(emailAddress);
  if (list.includes(null)) throw new Misfit('must be e-mail addresses, separated by commas.');
  return new Set(list as string[]);
}

function domains(text: string): ReadonlySet<string> {
  const list = text.split(',').map((domain) => domain.trim().toLowerCase());
  if (!list.every((domain) => /^([a-z0-9-]+\.)+[a-z0-9-]+$/.test(domain))) {
    throw new Misfit('must be domains such as example.org, separated by commas.');
  }
  return new Set(list);
}

function webAddress(example: string): (text: string) => string {
  return (text) => {
    if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
      throw new Misfit(`must be an address such as ${example}.`);
    }
    // In ASCII, as required in a header.
    return new URL(text).href;
  };
}

/** Not normalized, because that would encode the braces. */
function imageUrl(text: string): string {
  // The placeholder for the city must not be in the host name.
  if (!/^https?:\/\/[^/?#{}@]+(?:[/?]|$)/.test(text) || !URL.canParse(text)) {
    throw new Misfit('must be an address such as https://images.example.org/{city}.jpg.');
  }
  return text;
}

function smtpUrl(text: string): string {
  if (!/^smtps?:\/\/[^/?#]+\/?$/.test(text) || !URL.canParse(text) || !isDecodable(text)) {
    throw new Misfit(
      'must be an address such as smtp://user:password@mail.example.org:587, or smtps:// for implicit TLS, with special characters percent-encoded.',
    );
  }
  return text;
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

function sender(text: string): string {
  if (!/^(?:[^<>\r\n]*<[^\s<>@,]+@[^\s<>@,]+>|[^\s<>@,]+@[^\s<>@,]+)$/.test(text)) {
    throw new Misfit('must be an e-mail address, alone or as in "Visitor map <map@example.org>".');
  }
  return text;
}

function days(text: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number === 0)
    throw new Misfit('must be a whole number of days from 1 to 99999.');
  return number;
}
