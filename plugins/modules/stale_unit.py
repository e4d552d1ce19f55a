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

import os
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

RUNNING = ('active', 'reloading', 'refreshing')


def newest(paths):
    """The time (seconds since 1970) and path of what was written last, or (0, None)."""
    found = [(0.0, None)]
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            found.append(newest(os.path.join(path, name) for name in os.listdir(path)))
        if os.path.lexists(path):
            found.append((os.lstat(path).st_mtime, path))
    return max(found, key=lambda entry: entry[0])


def seconds(timestamp):
    """`Sun 2026-01-04 10:00:00.123456 UTC` as seconds since 1970; None where systemd has no time to tell."""
    parts = timestamp.split()
    if len(parts) != 4:
        return None
    moment = datetime.strptime(' '.join(parts[1:3]), '%Y-%m-%d %H:%M:%S.%f')
    return moment.replace(tzinfo=timezone.utc).timestamp()


def running_units(module, names):
    """The running units among names, each with the time from which it may have read its files."""
    # The main process starts, and reads, before the unit counts as active; a socket has no process.
    times = ('ExecMainStartTimestamp', 'ActiveEnterTimestamp')
    command = ['systemctl', 'show', '--timestamp=us+utc', '--property=' + ','.join(('Id', 'ActiveState') + times), '--']
    output = module.run_command(command + names, check_rc=True, environ_update={'LC_ALL': 'C'})[1]
    units = {}
    for block in output.split('\n\n'):
        unit = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
        starts = [start for start in (seconds(unit.get(time, '')) for time in times) if start]
        if unit.get('ActiveState') in RUNNING and starts:
            units[unit['Id']] = min(starts)
    return units


def utc(moment):
    return datetime.fromtimestamp(moment, timezone.utc).strftime('%Y-%m-%d %H:%M:%S.%f')


def main():
    module = AnsibleModule(
        argument_spec={
            'name': {'type': 'list', 'elements': 'str', 'required': True},
            'files': {'type': 'list', 'elements': 'path', 'required': True},
            'since': {'type': 'path'},
            'pending': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    reloaded = newest([module.params['since']] if module.params['since'] else [])[0]
    written, path = newest(module.params['files'])
    units = running_units(module, module.params['name'])

    stale = [
        f'{name} started {utc(max(start, reloaded))}, {path} was written {utc(written)}'
        for name, start in units.items()
        if written > max(start, reloaded)
    ]
    pending = module.check_mode and module.params['pending'] and bool(units)
    module.exit_json(changed=bool(stale) or pending, stale=stale)


if __name__ == '__main__':
    main()
