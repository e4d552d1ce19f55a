import { statfs } from 'node:fs/promises';
import { BadConfiguration, type Disk } from '../config.ts';
import { unavailable } from '../errors.ts';
import { causeOf, type Log } from '../log.ts';
import { settingName } from '../setting-name.ts';

/**
 * Watches the disk of a database on this machine. PostgreSQL stops once there is no room for its log, and stays down until somebody makes some: so nothing more
 * is stored before that, and reads go on.
 */
export type DiskWatch = {
  /** Rejects with a 503 while there is too little room to store anything. */
  demand: () => Promise<void>;
  /** The sentence that tells an operator that there is too little room; null if there is enough. */
  trouble: () => Promise<string | null>;
  /** How many bytes were free when somebody looked last; NaN if nobody could. */
  free: () => number;
  stop: () => void;
};

type Options = {
  /** Null where the database is on another machine, or nobody said where it is on this one. */
  disk: Disk | null;
  log: Log;
  /** Hears of each change. */
  changed?: () => void;
  /** Asks the system how many bytes are free on the disk of a folder. */
  ask?: (folder: string) => Promise<number>;
};

const pause = 1_000;
const megabyte = 1_000_000;

/** By how much more than the reserve there has to be again: PostgreSQL's own files come and go. */
const ampleAgain = 1.1;

/** Looks at most once a second, and only when somebody asks; but every second while there is too little room, so that the end is logged too. */
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
      if (!isBlind) log.error('the disk of the database cannot be looked at', { folder, ...causeOf(error) });
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
      if ((await trouble()) !== null) throw unavailable(nothingStored);
    },
    free: () => free,
    stop: () => clearTimeout(timer),
  };
}

/** What visitors and staff are told. */
export const nothingStored =
  'Nothing can be stored at the moment, because the disk of the server is almost full: all else goes on.';

/** There is too little room on the disk of the database for a command that stores. The program exits with 1. */
export class DiskFull extends Error {}

/** The same for a command, before it begins. Throws `DiskFull`, and `BadConfiguration` where there is no such folder. */
export async function demandRoom(disk: Disk | null): Promise<void> {
  if (!disk) return;
  const free = await freeBytes(disk.folder).catch((error: { code: string }) => {
    throw new BadConfiguration([`DATABASE_FOLDER names a folder that cannot be looked at (${error.code}).`]);
  });
  if (free < disk.reserve * megabyte) throw new DiskFull(`${sentence(disk, free)} Nothing was changed.`);
}

/** As the database's user sees it: what is kept for root is not counted. */
async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function sentence({ folder, reserve }: Disk, free: number): string {
  const left = Math.floor(free / megabyte);
  return `The disk of ${folder} has ${left} MB left. Below ${reserve} MB (${settingName('DISK_RESERVE')}) nothing is stored, because PostgreSQL stops on a full disk: free some space there.`;
}
