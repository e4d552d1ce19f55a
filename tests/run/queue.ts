import { basename, dirname } from 'node:path';

/**
 * The folders of the machine tests, in the order in which their files start:
 * `timed`: measure latency or downtime, so only one of them runs at a time.
 * `own`: create machines from nothing, or destroy them. These files take longest, so they start before those in `shared`.
 * `shared`: start from a copy of the provisioned machine.
 */
const folders = ['timed', 'own', 'shared'];

const isTimed = (file: string) => folderOf(file) === 'timed';
const folderOf = (file: string) => basename(dirname(file));

/** @returns the name of a test file: `tests/machine/shared/web.test.ts` is `web` */
export const nameOf = (file: string): string => basename(file, '.test.ts');

/**
 * The machine tests that have not started yet. Lanes run in parallel, and each takes the next file when it has finished one, so all lanes end at
 * about the same time.
 */
export class Queue {
  readonly #waiting: string[];
  #timed = false;

  /** Throws if a file is in none of the folders. */
  constructor(files: string[]) {
    const lost = files.filter((file) => !folders.includes(folderOf(file)));
    if (lost.length > 0) {
      throw new Error(
        `No lane runs ${lost.join(', ')}. Move it to one of the folders ${folders.join(', ')} of tests/machine: CONTRIBUTING.md describes them.`,
      );
    }
    this.#waiting = folders.flatMap((folder) => files.filter((file) => folderOf(file) === folder).sort());
  }

  /** @returns the next file, or undefined if none is left that may run now */
  take(): string | undefined {
    const index = this.#waiting.findIndex((file) => !(this.#timed && isTimed(file)));
    const [file] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (file !== undefined && isTimed(file)) this.#timed = true;
    return file;
  }

  /** Call it when a file has ended. */
  ended(file: string): void {
    if (isTimed(file)) this.#timed = false;
  }
}
