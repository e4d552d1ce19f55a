import { chownSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages, run } from './command.ts';

/**
 * Starts a throwaway PostgreSQL on a unix socket, calls `use` with the URL of its superuser, and removes it. Installs the distribution's
 * PostgreSQL if it is missing and this user is root.
 * @returns the result of `use`, or undefined if PostgreSQL is missing and cannot be installed
 * @throws Error if the cluster does not start
 */
export async function withPostgresql<T>(use: (url: string) => Promise<T>): Promise<T | undefined> {
  const bin = programs() ?? ((await install()) ? programs() : undefined);
  if (!bin) return undefined;

  const folder = mkdtempSync(join(tmpdir(), 'map-app-pg-'));
  const data = join(folder, 'data');
  const user = process.getuid?.() === 0 ? ['runuser', '-u', 'postgres', '--'] : [];
  if (user.length > 0) {
    const id = Number((await run(['id', '--user', 'postgres'])).output);
    chownSync(folder, id, id);
  }
  const must = async (command: string[]) => {
    const { code, output } = await run([...user, ...command]);
    if (code !== 0) throw new Error(`The throwaway PostgreSQL: ${command[0]} failed.\n${output}`);
  };
  // fsync=off, because the data is discarded after the tests.
  const options = `-c listen_addresses='' -c unix_socket_directories=${folder} -c fsync=off -c max_connections=200`;
  try {
    await must([
      `${bin}/initdb`,
      '-D',
      data,
      '-U',
      'postgres',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]);
    await must([`${bin}/pg_ctl`, '-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start']);
    return await use(`postgresql://postgres@/postgres?host=${folder}`);
  } finally {
    await run([...user, `${bin}/pg_ctl`, '-D', data, '-m', 'immediate', 'stop']);
    rmSync(folder, { recursive: true });
  }
}

// The newest installed version.
const programs = () =>
  globSync('/usr/lib/postgresql/*/bin')
    .sort((a, b) => Number(a.split('/')[4]) - Number(b.split('/')[4]))
    .at(-1);

/** Installs the package. Prevents it from creating and starting a cluster. */
async function install(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const setting = '/etc/postgresql-common/createcluster.d/map-app-tests.conf';
  mkdirSync('/etc/postgresql-common/createcluster.d', { recursive: true });
  writeFileSync(setting, 'create_main_cluster = false\n');
  try {
    return await installPackages(['postgresql']);
  } finally {
    rmSync(setting);
  }
}
