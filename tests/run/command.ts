import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { print } from './output.ts';

/** The path of the repository, with a slash at the end. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the environment of this process, with the project's own Node and Ansible first in PATH. */
export const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  // Ansible requires a UTF-8 locale.
  LC_ALL: 'C.UTF-8',
  PATH: `${root}node_modules/.bin:${root}.venv/bin:${process.env['PATH']}`,
  ...extra,
});

/** The result of a command: its standard output and standard error in one string, and its exit status (1 if a signal ended it). */
export type Ended = { code: number; output: string };

/**
 * Runs a command in the repository's folder, or in `cwd`.
 * @param command the program and its arguments
 * @param options `show`: also print the output; `environment`: variables to add; `minutes`: timeout, default 10
 */
export function run(
  command: string[],
  options: { show?: boolean; environment?: Record<string, string>; minutes?: number; cwd?: string } = {},
): Promise<Ended> {
  const [program, ...args] = command as [string, ...string[]];
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: environment(options.environment),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: (options.minutes ?? 10) * 60_000,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (options.show) print(text);
      });
    }
    child.on('error', (error) => resolve({ code: 127, output: `${program}: ${error.message}\n` }));
    child.on('close', (code, signal) => {
      if (signal) output += `${program} was ended by ${signal}\n`;
      resolve({ code: code ?? 1, output });
    });
  });
}

/** Returns whether a program is installed. */
export const have = async (program: string): Promise<boolean> =>
  (await run(['sh', '-c', `command -v ${program}`])).code === 0;

let installing: Promise<unknown> = Promise.resolve();

/**
 * Installs packages of the distribution, if this user is root. Concurrent calls run one after the other, because apt cannot run twice.
 * @returns whether the installation succeeded; prints the output of a failure
 */
export function installPackages(packages: string[]): Promise<boolean> {
  const installed = installing.then(() => install(packages));
  installing = installed.catch(() => undefined);
  return installed;
}

async function install(packages: string[]): Promise<boolean> {
  if (process.getuid?.() !== 0 || !(await have('apt-get'))) return false;
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', ...packages];
  let ended = await run(install, { environment });
  if (ended.code !== 0) {
    await run(['apt-get', 'update', '--quiet'], { environment });
    ended = await run(install, { environment });
  }
  if (ended.code !== 0) print(ended.output);
  return ended.code === 0;
}
