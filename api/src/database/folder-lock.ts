import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BadConfiguration } from '../config.ts';
import { unusable } from './data-folder.ts';

/** SQLite's result code for a lock that another process holds. */
const BUSY = 5;

/**
 * Keeps other processes out of a folder and returns the function that unlocks it. Throws `BadConfiguration` naming the process that holds the lock.
 * An SQLite file is a lock that is taken at once or not at all and that the kernel drops with its process; Node offers no other.
 */
export function lockFolder(folder: string): () => void {
  const owner = join(folder, 'owner');
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, 'lock'));
    lock.exec('begin exclusive');
    writeFileSync(owner, `${process.pid} (started ${new Date().toISOString()})\n`);
  } catch (error) {
    lock?.close();
    if ((error as { errcode?: number }).errcode !== BUSY) throw unusable(folder, error);
    throw new BadConfiguration([
      `The data folder ${folder} is in use by process ${nameIn(owner)}: stop that process, or set DATA_DIR to another folder.`,
    ]);
  }
  const held = lock;
  return () => held.close();
}

function nameIn(owner: string): string {
  try {
    return readFileSync(owner, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
