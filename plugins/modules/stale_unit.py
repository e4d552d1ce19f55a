#!/usr/bin/python
"""Check whether a systemd unit started before its files were last written."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stale_unit
short_description: Check whether a systemd unit started before its files changed
description:
  - Compares the start time of a running unit with the modification times of its files, and reports C(changed) when
    a file is newer. It changes nothing itself; the task notifies the handler that reloads or restarts the unit.
  - Handlers of file tasks are lost if a run is interrupted before them. Every run repeats this comparison,
    so the next run completes an interrupted one.
  - A unit that does not run is never stale. Its next start reads the files anyway.
options:
  name:
    description: Units, or globs of loaded units such as C(map-app@*.service). One stale unit is enough for C(changed).
    type: list
    elements: str
    required: true
  files:
    description:
      - The files that the units read. For a link its own time counts, not its target's. For a directory everything in it counts,
        including the deletion of a file. Missing files are ignored.
    type: list
    elements: path
    required: true
  since:
    description:
      - A stamp file that the unit touches when it reloads. Its time counts as a start, for units that read their files
        again without a restart.
    type: path
  pending:
    description:
      - Whether a task of this run changed one of the files. Only read in check mode, in which the file was not written
        and its time is not meaningful.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Find workers older than their configuration
  stale_unit:
    name: map-app@*.service
    files: [/etc/map-app, /opt/map-app/current]
    pending: "{{ __map_app_environment is changed }}"
  notify: Reload map-app
"""

RETURN = r"""
stale:
  description: One sentence for each stale unit, naming the file and both times (UTC).
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils import verbs
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'list', 'elements': 'str', 'required': True},
            'files': {'type': 'list', 'elements': 'path', 'required': True},
            'since': {'type': 'path'},
            'pending': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    options = module.params
    if module.check_mode and not verbs.is_installed():
        # A fresh machine. Only units of the operating system can run on it, such as the journal.
        active = module.run_command(['systemctl', 'is-active', '--quiet', '--', *options['name']])[0] == 0
        module.exit_json(changed=active and options['pending'], stale=[])
    since = [f'--since={options["since"]}'] if options['since'] else []
    result = verbs.run(module, ['stale', *options['name'], *(f'--file={file}' for file in options['files']), *since])
    pending = module.check_mode and options['pending'] and bool(result['running'])
    module.exit_json(changed=result['changed'] or pending, stale=result['stale'])


if __name__ == '__main__':
    main()
