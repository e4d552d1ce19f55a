#!/usr/bin/python
"""Enable, start and stop the systemd units of a role in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_units
short_description: Enable, start and stop the systemd units of a role in one call
description:
  - Reads the state of all units with one command, and changes only what differs, in the given order.
  - First reloads systemd if the file of any unit was written since systemd has read it.
  - In check mode, a unit that does not exist yet counts as one that this run installs.
options:
  units:
    description: The units.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The full name of the unit.
        type: str
        required: true
      enabled:
        description: Whether the unit starts at boot. By default, this is not changed.
        type: bool
      state:
        description: Whether the unit runs. C(restarted) always restarts it.
        choices: [started, stopped, restarted]
        required: true
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Run nginx and its log rotation
  machine_units:
    units:
      - { name: nginx.service, enabled: true, state: started }
      - { name: nginx-logs.timer, enabled: true, state: started }
"""

RETURN = r"""
units:
  description: The units that were changed.
  type: list
  elements: str
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

RUNNING = ('active', 'reloading', 'refreshing', 'activating')
ENABLED = ('enabled', 'static', 'indirect', 'generated', 'alias')


class Systemd:
    def __init__(self, module: Any) -> None:
        self.module = module

    def run(self, *arguments: str) -> str:
        status, output, errors = self.module.run_command(['systemctl', *arguments])
        if status != 0:
            self.module.fail_json(msg=f'systemctl {" ".join(arguments)} failed: {(errors or output).strip()}')
        return str(output)

    def reload(self) -> None:
        """Makes systemd read the unit files again, if one of them was written since it did."""
        # --all: also those of units that do not run, such as services that a timer starts.
        if 'yes' in self.run('show', '--all', '--property=NeedDaemonReload', '--value', '*').split():
            self.run('daemon-reload')

    def show(self, names: list[str]) -> list[dict[str, str]]:
        """Returns the properties of each unit, in the order of the names."""
        output = self.run('show', '--property=LoadState,ActiveState,UnitFileState', '--', *names)
        return [dict(line.split('=', 1) for line in block.splitlines()) for block in output.strip().split('\n\n')]


def commands(unit: dict[str, Any], found: dict[str, str]) -> list[str]:
    """Returns the commands of systemctl that bring a unit to its state."""
    exists, running = found['LoadState'] != 'not-found', found['ActiveState'] in RUNNING
    wanted = []
    if unit['enabled'] and found['LoadState'] == 'masked':
        wanted.append('unmask')
    if unit['enabled'] and found['UnitFileState'] not in ENABLED:
        wanted.append('enable')
    if unit['enabled'] is False and found['UnitFileState'] in ('enabled', 'enabled-runtime'):
        wanted.append('disable')
    if unit['state'] == 'restarted':
        wanted.append('restart')
    if unit['state'] == 'started' and not running:
        wanted.append('start')
    if unit['state'] == 'stopped' and exists and found['ActiveState'] not in ('inactive', 'failed'):
        wanted.append('stop')
    return wanted


def main() -> None:
    unit = {'name': {'required': True}, 'enabled': {'type': 'bool'}, 'state': {'choices': ['started', 'stopped', 'restarted'], 'required': True}}
    module = AnsibleModule(argument_spec={'units': {'type': 'list', 'elements': 'dict', 'required': True, 'options': unit}}, supports_check_mode=True)
    units, systemd = module.params['units'], Systemd(module)
    if not module.check_mode:
        systemd.reload()
    changed = []
    for one, found in zip(units, systemd.show([one['name'] for one in units]), strict=True):
        needed = commands(one, found)
        if needed:
            changed.append(one['name'])
        if not module.check_mode:
            for command in needed:
                systemd.run('--quiet', command, one['name'])
    module.exit_json(changed=bool(changed), units=changed)


if __name__ == '__main__':
    main()
