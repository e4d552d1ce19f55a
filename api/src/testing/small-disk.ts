import { execFileSync } from 'node:child_process';

/** A small file system in memory. */
export type SmallDisk = {
  /** Changes its mount options, as in `mount -o`. */
  remount(options: string): void;
  unmount(): void;
};

/** Mounts a file system of some megabytes on an empty folder. Null if this user may not mount. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk | null {
  const run = (command: string, ...args: string[]) => void execFileSync(command, args, { stdio: 'pipe' });
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'map-app-test', folder);
  } catch {
    console.log(`        Not tested: only root can mount a small disk.`);
    return null;
  }
  return {
    remount: (options) => run('mount', '-o', `remount,${options}`, folder),
    // Lazy: an embedded database that could not start keeps files open until the process ends.
    unmount: () => run('umount', '--lazy', folder),
  };
}
