import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { environment, root } from '../run/command.ts';

describe('ansible_become_exe', () => {
  function program(strategy: string): string {
    const { stdout } = spawnSync(
      'ansible',
      [
        'all',
        '-i',
        'inventory/production',
        '--playbook-dir',
        '.',
        '-m',
        'debug',
        '-a',
        'var=ansible_become_exe',
      ],
      {
        cwd: root,
        encoding: 'utf8',
        env: environment({ ANSIBLE_NOCOLOR: '1', ANSIBLE_STRATEGY: strategy }),
      },
    );
    return /ansible_become_exe: (.*)/.exec(stdout)?.[1] ?? stdout;
  }

  it('selects the classic sudo if sudo-rs is installed too', () =>
    expect(program('linear')).to.match(/^\$\(command -v sudo\.ws /));

  it('is a plain program name with Mitogen, which starts it without a shell', () =>
    expect(program('mitogen')).to.match(/^[\w./-]+$/));
});
