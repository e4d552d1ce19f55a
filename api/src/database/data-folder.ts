import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BadConfiguration } from '../config.ts';

/** The major version of the embedded PostgreSQL, which cannot read the files of other versions. */
const postgresqlVersion = '18';

/** Creates the data folder if it does not exist. Throws `BadConfiguration` if this user cannot write to it. */
export function makeDataFolder(folder: string): void {
  try {
    makeFolder(resolve(folder));
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Node's recursive mkdir reports ENOENT on a read-only disk, and does not return for a folder in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process created it first, or it is a link.
    if ((error as Failure).code !== 'EEXIST') throw error;
  }
}

/** Throws `BadConfiguration` if another version of PostgreSQL wrote the files in `data`. */
export function refuseOtherVersion(folder: string, data: string): void {
  const file = join(data, 'PG_VERSION');
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : postgresqlVersion;
  if (version === postgresqlVersion) return;
  throw new BadConfiguration([
    `The data folder ${folder} was written by PostgreSQL ${version}, but this release contains PostgreSQL ${postgresqlVersion}. Start the release that wrote it, or set DATA_DIR to another folder.`,
  ]);
}

/** Returns the error that tells an operator why the data folder cannot be used. */
export function unusable(folder: string, error: unknown): BadConfiguration {
  const { code, errno, errcode, message } = error as Failure;
  const [reason, remedy] =
    reasons[code ?? ''] ?? byNumber[errno ?? 0] ?? bySqlite[errcode ?? 0] ?? damaged(message);
  return new BadConfiguration([`The data folder ${folder} cannot be used, because ${reason}. ${remedy}`]);
}

type Failure = { code?: string; errno?: number; errcode?: number; message?: string };
type Reason = [reason: string, remedy: string];

const other = 'Set DATA_DIR to another folder.';
const file: Reason = ['it, or a part of its path, is a file', other];
const forbidden: Reason = [
  'this user may not write there',
  'Make this user the owner of the folder and all files in it, or set DATA_DIR to another folder.',
];
const readOnly: Reason = ['its disk is read-only', other];
const full: Reason = [
  'its disk is full',
  'Free some space there, or set DATA_DIR to a folder on another disk.',
];

const reasons: Record<string, Reason> = {
  ENOENT: ['no folder can be created there', other],
  ENOTDIR: file,
  EACCES: forbidden,
  EPERM: forbidden,
  EROFS: readOnly,
  ENOSPC: full,
  EDQUOT: full,
  ENAMETOOLONG: ['its name is too long', other],
  ELOOP: ['a part of its path is a link to itself', other],
};

/** Error numbers of WASI, on which the embedded PostgreSQL runs. */
const byNumber: Record<number, Reason> = {
  2: forbidden,
  19: full,
  51: full,
  54: file,
  63: forbidden,
  69: readOnly,
};

/** Result codes of SQLite, which locks the folder. */
const bySqlite: Record<number, Reason> = { 8: forbidden, 13: full, 14: forbidden };

function damaged(message = 'unknown'): Reason {
  const cause = message.split('\n')[0];
  return [
    `its files are damaged or incomplete (${cause})`,
    'Restore a copy of the folder, or delete it to start without its data.',
  ];
}
