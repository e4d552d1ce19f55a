#!/usr/bin/python
"""Keep two runs from changing one machine at a time: the machine's half of the lock."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Let one run at a time change a machine
description:
  - Keeps a small file on the machine with the user, the playbook, the controller and the start of the run.
  - The action plugin of this name fills in O(record) and decides about locks whose holder died; playbooks only set O(state).
  - The file lies below C(/run), so that a reboot of the machine releases the lock, too. It belongs to the run and not to the
    machine, so it is never reported as a change.
options:
  state:
    description: C(held) takes the lock, C(free) releases the own lock.
    choices: [held, free]
    required: true
  wait:
    description: How many seconds to wait while another run holds the lock. The action plugin handles it.
    type: float
    default: 0
  record:
    description: The record of this run. The action plugin sets it.
    type: dict
  dead:
    description: The record of a dead holder, which may be replaced. The action plugin sets it.
    type: dict
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Take the run lock
  run_lock:
    state: held
"""

RETURN = r"""
holder:
  description: The record of the other run that holds the lock.
  type: dict
  returned: when another run holds it
ansible_facts:
  description: >-
    C(map_app_command): the SHA-256 of the map-app command (C(program), or an empty string) and the settings that the role map_app has
    written for it (C(settings), or {}), so that a deploy needs no further calls to read them.
  type: dict
  returned: when O(state) is C(held)
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# Not through the map-app command, because a run takes the lock before it installs anything.
from ansible.module_utils.map_app.lock import RunLock


def command() -> dict[str, Any]:
    """Returns the digest of the map-app command and the settings of the role map_app."""
    program = Path('/usr/local/bin/map-app')
    digest = hashlib.sha256(program.read_bytes()).hexdigest() if program.exists() else ''
    try:
        settings = json.loads(Path('/etc/map-app.d/map_app.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        settings = {}
    return {'program': digest, 'settings': settings if isinstance(settings, dict) else {}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            'state': {'choices': ['held', 'free'], 'required': True},
            'wait': {'type': 'float', 'default': 0},
            'record': {'type': 'dict'},
            'dead': {'type': 'dict'},
        },
        supports_check_mode=True,
    )
    lock, record = RunLock(), module.params['record']
    if module.params['state'] == 'free':
        lock.free(record, module.check_mode)
        module.exit_json(changed=False)
    holder = lock.take(record, module.params['dead'], module.check_mode)
    # After the lock is taken, because its previous holder may have changed the command or the settings.
    module.exit_json(changed=False, ansible_facts={'map_app_command': command()}, **({'holder': holder} if holder else {}))


if __name__ == '__main__':
    main()
