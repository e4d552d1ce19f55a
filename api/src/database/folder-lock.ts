import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BadConfiguration } from '../config.ts';
import { unusable } from './data-folder.ts';

/** SQLite's result code for a lock that another process holds. */
const sqliteBusy = 5;

/**
 * Locks a folder against other processes and returns the function that unlocks it. Throws `BadConfiguration` with the
 * id of the process that holds the lock. The lock is an SQLite file: taking it is atomic, and the kernel releases it
 * when its process ends. Node has no other lock with these properties.
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
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw unusable(folder, error);
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
