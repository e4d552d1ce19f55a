import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { environment, root } from '../run/command.ts';

describe('The program by which a sudo user becomes root', () => {
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

  it('is the classic sudo where it lies beside sudo-rs', () =>
    expect(program('linear')).to.match(/^\$\(command -v sudo\.ws /));

  it('is a path or a name under Mitogen, which starts it without a shell', () =>
    expect(program('mitogen')).to.match(/^[\w./-]+$/));
});
