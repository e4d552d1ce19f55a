import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BadConfiguration } from '../config.ts';

/**
 * Keeps other processes out of a folder and returns the way to let them in again. Throws `BadConfiguration` naming the process that has it.
 * An SQLite file is a lock that is taken at once or not at all and that the kernel drops with its process; Node offers no other.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const owner = join(folder, 'owner');
  const lock = new DatabaseSync(join(folder, 'lock'));
  try {
    lock.exec('begin exclusive');
  } catch {
    lock.close();
    throw new BadConfiguration([
      `The data folder ${folder} is in use by process ${nameIn(owner)}: stop that process, or set DATA_DIR to another folder.`,
    ]);
  }
  writeFileSync(owner, `${process.pid} (started ${new Date().toISOString()})\n`);
  return () => lock.close();
}

function nameIn(owner: string): string {
  try {
    return readFileSync(owner, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
