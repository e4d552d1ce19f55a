#!/usr/bin/python
"""Tell whether a systemd unit started before the files it reads were last written."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stale_unit
short_description: Tell whether a systemd unit started before its files changed
description:
  - Compares the time a running unit started with the times its files were last written, and reports C(changed) when
    a file is newer. It changes nothing itself; the task notifies the handler that reloads or restarts the unit.
  - Handlers that hang on the file tasks are lost when a run dies between the two. This comparison is made anew by every
    run, so the next run completes what the last one left undone.
  - A unit that does not run is never stale. Its next start reads the files anyway.
options:
  name:
    description: Units, or globs of loaded units such as C(map-app@*.service). One stale unit is enough for C(changed).
    type: list
    elements: str
    required: true
  files:
    description:
      - What the units read. A link counts by its own time, not its target's. A directory counts with all that is in it,
        and so notices that a file was deleted. What does not exist is passed over.
    type: list
    elements: path
    required: true
  since:
    description:
      - A stamp file that the unit touches when it reloads. Its time counts as a start, for units that read their files
        again without being started again.
    type: path
  pending:
    description:
      - Whether a task of this run changed one of the files. Only read in check mode, where the file was not written
        and its time says nothing.
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
  notify: Roll map-app
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
        # A fresh machine. Only units of the system can run on it, such as the journal.
        active = module.run_command(['systemctl', 'is-active', '--quiet', '--', *options['name']])[0] == 0
        module.exit_json(changed=active and options['pending'], stale=[])
    since = [f'--since={options["since"]}'] if options['since'] else []
    result = verbs.run(module, ['stale', *options['name'], *(f'--file={file}' for file in options['files']), *since])
    pending = module.check_mode and options['pending'] and bool(result['running'])
    module.exit_json(changed=result['changed'] or pending, stale=result['stale'])


if __name__ == '__main__':
    main()
