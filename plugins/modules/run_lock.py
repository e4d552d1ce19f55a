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
"""

from ansible.module_utils.basic import AnsibleModule

# Not through the map-app command, because a run takes the lock before it installs anything.
from ansible.module_utils.map_app.lock import RunLock


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
    module.exit_json(changed=False, **({'holder': holder} if holder else {}))


if __name__ == '__main__':
    main()
