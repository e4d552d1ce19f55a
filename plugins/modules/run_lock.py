#!/usr/bin/python
"""Keep two runs from changing one machine at a time: the machine's half of the lock."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Let one run at a time change a machine
description:
  - Keeps a small file on the machine that says who runs what, from where and since when.
  - The action plugin of this name fills in O(record) and decides about locks whose holder died; playbooks only name the O(state).
  - The file lies below C(/run), so that a reboot of the machine frees the lock too. It belongs to the run and not to the
    machine, and is therefore never reported as a change.
options:
  state:
    description: C(held) takes the lock, C(free) gives up one's own.
    choices: [held, free]
    required: true
  wait:
    description: For how many seconds to wait where another run holds the lock. Heeded by the action plugin.
    type: float
    default: 0
  record:
    description: Who wants it. Filled in by the action plugin.
    type: dict
  dead:
    description: The record of a holder known to be dead, which may be replaced. Filled in by the action plugin.
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

import json
import os

from ansible.module_utils.audit import LOCK
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flock import locked


def read():
    """The record in the lock file, or None when nobody holds it."""
    try:
        with open(LOCK, encoding='utf-8') as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write(record):
    """Put the record in place whole, so that a killed run leaves no half a lock."""
    with open(LOCK + '.new', 'w', encoding='utf-8') as file:
        json.dump(record, file)
    os.chmod(LOCK + '.new', 0o644)
    os.rename(LOCK + '.new', LOCK)


def same(one, other):
    """Whether both records are of one run. A run asks more than once, so the time of asking says nothing."""
    return bool(one and other) and all(one[key] == other[key] for key in ('controller', 'pid', 'started'))


def main():
    module = AnsibleModule(
        argument_spec={
            'state': {'choices': ['held', 'free'], 'required': True},
            'wait': {'type': 'float', 'default': 0},
            'record': {'type': 'dict'},
            'dead': {'type': 'dict'},
        },
        supports_check_mode=True,
    )
    record = module.params['record']
    # Other processes see reading and writing as one step.
    with locked(os.path.dirname(LOCK)):
        holder = read()
        mine = same(holder, record)
        takeable = holder is None or same(holder, module.params['dead'])
        if not module.check_mode:
            if module.params['state'] == 'held' and takeable:
                write(record)
            elif module.params['state'] == 'free' and mine:
                os.unlink(LOCK)
    if mine or takeable or module.params['state'] == 'free':
        module.exit_json(changed=False)
    module.exit_json(changed=False, holder=holder)


if __name__ == '__main__':
    main()
