import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, root, run, type Ended } from '../run/command.ts';

/** The pattern of a prompt, and the text to type. */
export type Prompt = [pattern: string, typed: string];

/** An unprivileged user of this host with a clone of the repository and a terminal. */
export type Operator = {
  home: string;
  /** Runs a shell command in the clone, or in the home folder before it is cloned, and answers its prompts. */
  run: (command: string) => Promise<Ended>;
  /** Like `run`, but throws if the command fails. @returns its output */
  must: (command: string) => Promise<string>;
  /** Sets the user's /etc/hosts, which stands in for DNS. The host's own file is not changed. */
  resolve: (hosts: string) => void;
  remove: () => Promise<void>;
};

// The host's environment, for access to the package registries, without the variables of these tests and of npm.
const passedOn = () =>
  Object.entries(environment()).filter(
    ([name]) =>
      !/^(npm_|ANSIBLE|SANDBOX|SUITE|TEST_|KEEP_|MOCHA|NODE_OPTIONS|INIT_CWD|PATH|HOME|LC_|LANG|USER|LOGNAME|MAIL|XDG_|PYENV)/.test(
        name,
      ),
  );

/** The colour codes that Ansible prints in a terminal. */
const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

const must = async (ended: Promise<Ended>): Promise<string> => {
  const { code, output } = await ended;
  if (code !== 0) throw new Error(`ended with ${code}:\n${output.slice(-6000)}`);
  return output;
};

/** Creates the user, with a bare repository to clone. The repository has the checkout including uncommitted changes, but no untracked files. */
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
        'python3',
        `${root}tests/machine/terminal.py`,
        JSON.stringify(prompts),
        // A separate mount namespace, for its /etc/hosts.
        'unshare',
        '--mount',
        'sh',
        '-c',
        'mount --bind "$0" /etc/hosts && exec "$@"',
        hosts,
        'runuser',
        '-u',
        name,
        '--',
        'env',
        '-i',
        ...variables,
        'bash',
        '-c',
        `${enter}\n${command}`,
      ],
      { minutes: 20 },
    );
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

/** Removes the user. Kills its processes first, because shared ssh connections outlive their commands and prevent the removal. */
async function remove(name: string): Promise<void> {
  await run(['sh', '-c', `id ${name} 2>/dev/null && ps -o pid= -u ${name} | xargs -r kill -KILL; true`]);
  await run(['userdel', '--force', '--remove', name]);
}
