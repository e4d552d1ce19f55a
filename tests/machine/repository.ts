import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../run/command.ts';
import { machineName } from '../run/machines.ts';
import { freshMachine, type Machine } from './machine.ts';

/** A machine with the backup repository, and the variables that configure it on the first machine. */
export type Repository = { machine: Machine; vars: Record<string, unknown> };

/**
 * Creates the machine, with an account that accepts a key and a small file system for the backups.
 * @param folder folder for the key
 */
export async function repositoryMachine(folder: string): Promise<Repository> {
  const machine = await freshMachine('trixie', machineName('repository'));
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
  const key = readFileSync(join(folder, 'key.pub'), 'utf8').trim();
  await machine.must(
    `useradd --create-home backups && cd /home/backups && mkdir .ssh map-app && echo '${key}' >.ssh/authorized_keys && ` +
      'mount -t tmpfs -o size=200m none map-app && chown -R backups: .',
  );
  const print = await machine.must(
    "cut -d' ' -f2 /etc/ssh/ssh_host_ecdsa_key.pub | base64 -d | sha256sum | cut -d' ' -f1",
  );
  return {
    machine,
    vars: {
      backup_local_only: false,
      backup_repository_key: readFileSync(join(folder, 'key'), 'utf8'),
      backup_repository: {
        type: 'sftp',
        path: '/home/backups/map-app',
        'sftp-host': machine.address,
        'sftp-host-user': 'backups',
        'sftp-host-key-hash-type': 'sha256',
        'sftp-host-key-check-type': 'fingerprint',
        'sftp-host-fingerprint': print,
      },
    },
  };
}
