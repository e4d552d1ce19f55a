import { statfs } from 'node:fs/promises';
import { BadConfiguration, type Disk } from '../config.ts';
import { causeOf, type Log } from '../log.ts';
import { settingName } from '../setting-name.ts';

/**
 * Watches the disk of a database on this machine. PostgreSQL stops when it has no space for its WAL, and stays down
 * until an operator frees some. So writes are rejected before that, and reads continue.
 */
export type DiskWatch = {
  /** Rejects with `DiskFull` while there is too little space to store anything. */
  demand: () => Promise<void>;
  /** Returns a sentence for the operator if there is too little space, otherwise null. */
  trouble: () => Promise<string | null>;
  /** The free bytes at the last check; NaN if the check failed. */
  free: () => number;
  stop: () => void;
};

type Options = {
  /** Null if the database is on another machine, or its folder is not configured. */
  disk: Disk | null;
  log: Log;
  /** Called after each change. */
  changed?: () => void;
  /** Returns the free bytes on the disk of a folder. */
  ask?: (folder: string) => Promise<number>;
};

const pause = 1_000;
const megabyte = 1_000_000;

/** Writes resume at this multiple of the reserve, because the size of PostgreSQL's own files fluctuates. */
const ampleAgain = 1.1;

/**
 * Checks at most once a second, and only on request. While there is too little space it checks every second, so that
 * the recovery is logged, too.
 */
export function watchDisk({ disk, log, changed, ask = freeBytes }: Options): DiskWatch {
  let free = Number.NaN;
  let known: string | null = null;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isBlind = false;

  const look = async ({ folder, reserve }: Disk) => {
    clearTimeout(timer);
    lookedAt = performance.now();
    try {
      free = await ask(folder);
      isBlind = false;
    } catch (error) {
      if (!isBlind)
        log.error('the free space of the database disk cannot be read', { folder, ...causeOf(error) });
      isBlind = true;
      free = Number.NaN;
    }
    const isShort = free < reserve * megabyte * (known === null ? 1 : ampleAgain);
    note(isShort ? sentence({ folder, reserve }, free) : null);
  };
  const note = (cause: string | null) => {
    if (cause !== null) timer = setTimeout(refresh, pause).unref();
    const isNews = (cause === null) !== (known === null);
    known = cause;
    if (!isNews) return;
    if (cause !== null) log.error('nothing is stored any more', { cause });
    else log.info('storing again');
    changed?.();
  };
  const refresh = () => {
    if (disk) looking = look(disk);
  };
  const trouble = async () => {
    if (performance.now() - lookedAt >= pause) refresh();
    await looking;
    return known;
  };

  return {
    trouble,
    async demand() {
      if ((await trouble()) !== null) throw new DiskFull(nothingStored);
    },
    free: () => free,
    stop: () => clearTimeout(timer),
  };
}

/** The message for visitors and staff. */
export const nothingStored =
  'Nothing can be stored at the moment, because the disk of the server is almost full: reading still works.';

/** The disk of the database has too little space to store anything: a 503 for clients, exit status 1 for commands. */
export class DiskFull extends Error {}

/**
 * The same check for a command, before it begins. Throws `DiskFull`, and `BadConfiguration` if the folder does not
 * exist.
 */
export async function demandRoom(disk: Disk | null): Promise<void> {
  if (!disk) return;
  const free = await freeBytes(disk.folder).catch((error: { code: string }) => {
    throw new BadConfiguration([
      `DATABASE_FOLDER names a folder whose free space cannot be read (${error.code}). Set it to the data folder of the database.`,
    ]);
  });
  if (free < disk.reserve * megabyte) throw new DiskFull(`${sentence(disk, free)} Nothing was changed.`);
}

/** Excludes the blocks reserved for root, because the database does not run as root. */
async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function sentence({ folder, reserve }: Disk, free: number): string {
  const left = Math.floor(free / megabyte);
  return `The disk of ${folder} has ${left} MB left. Below ${reserve} MB (${settingName('DISK_RESERVE')}) nothing is stored, because PostgreSQL stops on a full disk: free some space there.`;
}
