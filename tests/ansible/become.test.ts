import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { environment, root } from '../run/command.ts';

describe('Ansible becomes root with', () => {
  /** Runs Python statements, then prints the program that the sudo plugin starts. */
  function program(statements: string): string {
    const { stdout, stderr } = spawnSync(
      'python',
      [
        '-c',
        `${statements}
from ansible import constants
from ansible.plugins.loader import become_loader
become_loader.get('sudo')
print(constants.config.get_config_value('become_exe', plugin_type='become', plugin_name='sudo'))`,
      ],
      { cwd: root, encoding: 'utf8', env: environment() },
    );
    return stdout.trim() || stderr;
  }

  const loadMitogen = `
from importlib.util import module_from_spec, spec_from_file_location
specification = spec_from_file_location('strategy', 'plugins/strategy/mitogen.py')
specification.loader.exec_module(module_from_spec(specification))`;

  it('the classic sudo if sudo-rs is installed too', () =>
    expect(program('')).to.match(/^\$\(command -v sudo\.ws /));

  it('a plain program name with Mitogen, which starts it without a shell', () =>
    expect(program(loadMitogen)).to.equal('sudo'));
});
