import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Joi from 'joi';
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

/** Every variable: its description, and the function that parses its text. */
const variables = {
  DATABASE_URL: variable(
    'URL of the PostgreSQL server. Default: an embedded database, in a source tree only.',
    databaseUrl,
  ),
  DATA_DIR: variable('Folder of the embedded database. Default: api/.data.', (text) => text),
  DATABASE_FOLDER: variable(
    "Folder of the server's data, if it is on this machine: nothing is stored while its disk is almost full.",
    (text) => text,
  ),
  DISK_RESERVE: variable(
    'Megabytes that stay free on that disk. Default: 500, or 50 for the embedded database.',
    megabytes,
  ),
  // Brackets are allowed as in a URL: [::1].
  HOST: variable('Address to listen on if systemd passes no socket. Default: 127.0.0.1.', (text) =>
    text.replace(/^\[(.*)\]$/, '$1'),
  ),
  PORT: variable('Port to listen on if systemd passes no socket. Default: 3000.', port),
  WORKER_SOCKET: variable(
    'Path of a socket that only this worker listens on, in addition to the shared one.',
    (text) => text,
  ),
  SESSION_KEY: variable(
    'Key that encrypts the session cookie: 64 hexadecimal digits. Required with DATABASE_URL.',
    sessionKey,
  ),
  CORS_ORIGINS: variable(
    'Origins of other sites whose pages may call the API, separated by commas; * allows all.',
    origins,
  ),
  GOOGLE_CLIENT_ID: variable(
    'Client id of the sign-in with Google. Default: sign-in is disabled.',
    (text) => text,
  ),
  GOOGLE_JWKS_URL: variable("URL of the keys that verify ID tokens. Default: Google's.", keysUrl),
  GOOGLE_HOSTED_DOMAINS: variable(
    'Google Workspace domains whose members may have addresses of other domains, separated by commas.',
    domains,
  ),
  STAFF_EMAILS: variable(
    'Addresses of staff, separated by commas, in addition to those in the database.',
    emailAddresses,
  ),
  DONATION_URL: variable('URL of the donation page.', webAddress('https://www.example.org/donate')),
  GEOCODER_URL: variable(
    'URL of a geocoder that responds like OpenCage or Nominatim. Default: the place names of the release.',
    webAddress('https://api.opencagedata.com/geocode/v1/json'),
  ),
  GEOCODER_KEY: variable('API key of the geocoder.', (text) => text),
  IMAGE_URL: variable(
    'URL of pictures of cities, where {city} is the name. Default: the default picture.',
    imageUrl,
  ),
  SMTP_URL: variable('URL of the mail server. Default: no mail.', smtpUrl),
  MAIL_FROM: variable('Sender of mail.', sender),
  RETENTION_DAYS: variable("Days after which visitors' pins and answers are deleted. Default: never.", days),
};

type Values = {
  [Name in keyof typeof variables]?: (typeof variables)[Name] extends Joi.AnySchema<infer Value>
    ? Value
    : never;
};

/** `parse` throws `Misfit` with the predicate of a sentence whose subject is the name of the variable. */
function variable<Value>(description: string, parse: (text: string) => Value): Joi.AnySchema<Value> {
  return Joi.any()
    .description(description)
    .custom((text: string, helpers) => {
      try {
        return parse(text);
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        return helpers.message({ custom: '{{#label}} {{#rest}}' }, { rest: error.message });
      }
    });
}

/** The schema of the environment. `named` returns the name under which messages mention a variable. */
function schemaOf(named: (name: keyof Values) => string): Joi.ObjectSchema<Values> {
  const [url, key] = [named('DATABASE_URL'), named('SESSION_KEY')];
  const withoutServer = `${url} is required: a release contains no embedded database.`;
  const withoutKey = `${key} is required if ${url} is set: generate one with "openssl rand -hex 32".`;
  const withoutFolder = `DISK_RESERVE has no effect without DATABASE_FOLDER if ${url} is set: set both, or neither.`;
  const rules = {
    DATABASE_URL:
      version === 'development'
        ? variables.DATABASE_URL
        : variables.DATABASE_URL.required().messages({ 'any.required': withoutServer }),
    DISK_RESERVE: variables.DISK_RESERVE.when('DATABASE_URL', {
      is: Joi.exist(),
      // oxlint-disable-next-line unicorn/no-thenable -- Joi's name of the option
      then: Joi.when('DATABASE_FOLDER', { is: Joi.exist(), otherwise: Joi.forbidden() }),
    }).messages({ 'any.unknown': withoutFolder }),
    SESSION_KEY: variables.SESSION_KEY.when('DATABASE_URL', {
      is: Joi.exist(),
      // oxlint-disable-next-line unicorn/no-thenable -- Joi's name of the option
      then: Joi.required(),
    }).messages({
      'any.required': withoutKey,
    }),
  };
  const labelled = Object.entries({ ...variables, ...rules }).map(([name, schema]) => [
    name,
    schema.label(named(name as keyof Values)),
  ]);
  return Joi.object<Values>(Object.fromEntries(labelled) as Joi.SchemaMap)
    .and('SMTP_URL', 'MAIL_FROM')
    .with('GEOCODER_KEY', 'GEOCODER_URL')
    .messages({
      'object.and': `${named('SMTP_URL')} and ${named('MAIL_FROM')} go together: set both to send mail, or neither.`,
      'object.with': `${named('GEOCODER_KEY')} has no effect without ${named('GEOCODER_URL')}: set both, or neither.`,
    })
    .prefs({ abortEarly: false, errors: { wrap: { label: false } } });
}

/** The variables and their descriptions, a line each. */
export function describeVariables(): string {
  const lines = Object.entries(variables).map(([name, schema]) => {
    const { description } = schema.describe().flags as { description: string };
    return `  ${name.padEnd(23)}${description}\n`;
  });
  return lines.join('');
}

/**
 * Reads the configuration from the environment and from the files in `$CREDENTIALS_DIRECTORY`. Throws
 * `BadConfiguration` with all problems.
 */
export function readConfig(env: Environment): Config {
  const problems: string[] = [];
  const texts = readTexts(env, problems);
  const { value: values, error } = schemaOf((name) => settingName(name, env)).validate(texts);
  problems.push(...(error?.details ?? []).map(({ message }) => message));
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
