import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, root, run, type Ended } from '../run/command.ts';

/** A pattern of a prompt, and what is typed then. */
export type Prompt = [pattern: string, typed: string];

/** An unprivileged user of this host who works in a clone of the repository, at a terminal. */
export type Operator = {
  home: string;
  /** Runs a shell command in the clone, or in the home folder while there is none, and answers its prompts. */
  run: (command: string) => Promise<Ended>;
  /** The same, and throws if it fails. @returns its output */
  must: (command: string) => Promise<string>;
  /** Says what DNS says of the names: lines as in /etc/hosts. The user sees them, the host does not. */
  resolve: (hosts: string) => void;
  remove: () => Promise<void>;
};

// The host's way to the package registries, without what is set for these tests and for npm's scripts.
const passedOn = () =>
  Object.entries(environment()).filter(
    ([name]) => !/^(npm_|ANSIBLE|SANDBOX|SUITE|TEST_|KEEP_|MOCHA|NODE_OPTIONS|INIT_CWD|PATH|HOME|LC_|LANG|USER|LOGNAME|MAIL|XDG_|PYENV)/.test(name),
  ); // prettier-ignore

/** What Ansible prints around its lines in a terminal. */
const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

const must = async (ended: Promise<Ended>): Promise<string> => {
  const { code, output } = await ended;
  if (code !== 0) throw new Error(`ended with ${code}:\n${output.slice(-6000)}`);
  return output;
};

/** Makes the user, with nothing but a repository to clone. It holds the checkout as it is, but for files that git does not know. */
export async function makeOperator(name: string, prompts: Prompt[]): Promise<Operator> {
  const home = `/home/${name}`;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-operator-'));
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, '127.0.0.1 localhost\n');
  await remove(name);
  await must(run(['useradd', '--create-home', '--shell', '/bin/bash', name]));
  const share = `set -e
    commit=$(git -c user.name=test -c user.email=test@localhost stash create)
    git init --quiet --bare ${home}/map-app.git --initial-branch=main
    git -C ${home}/map-app.git config receive.shallowUpdate true
    git push --quiet ${home}/map-app.git "\${commit:-HEAD}:refs/heads/main"
    chown -R ${name}: ${home}/map-app.git`;
  await must(run(['sh', '-c', share]));

  const enter = 'cd ~/map-app 2>/dev/null || cd; [ ! -e .venv/complete ] || . .venv/bin/activate';
  const own = {
    HOME: home,
    USER: name,
    LOGNAME: name,
    LANG: 'C.UTF-8',
    PATH: '/usr/local/bin:/usr/bin:/bin',
  };
  const variables = [...passedOn(), ...Object.entries(own)].map(([key, value]) => `${key}=${value}`);
  const start = async (command: string) => {
    const { code, output } = await run(
      [
        'python3', `${root}tests/machine/terminal.py`, JSON.stringify(prompts),
        // A file system of its own, for its /etc/hosts.
        'unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
        'runuser', '-u', name, '--', 'env', '-i', ...variables, 'bash', '-c', `${enter}\n${command}`,
      ],
      { minutes: 20 },
    ); // prettier-ignore
    return { code, output: output.replaceAll(colour, '') };
  };
  return {
    home,
    run: start,
    must: (command) => must(start(command)),
    resolve: (lines) => writeFileSync(hosts, `127.0.0.1 localhost\n${lines}\n`),
    remove: async () => {
      await remove(name);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Ssh's shared connections outlive their commands, and keep the user from being removed. */
async function remove(name: string): Promise<void> {
  await run(['sh', '-c', `id ${name} 2>/dev/null && ps -o pid= -u ${name} | xargs -r kill -KILL; true`]);
  await run(['userdel', '--force', '--remove', name]);
}
