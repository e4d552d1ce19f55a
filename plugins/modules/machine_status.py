#!/usr/bin/python
"""Read the state of the map on a machine: map-app status and drift."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_status
short_description: Read the state of the map on a machine
description:
  - Runs C(map-app status) and C(map-app drift), which change nothing.
options:
  drift:
    description: Whether to compare the configuration files with their state after the last run of site.yml.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Read the state of the machine
  machine_status:
  register: looked
"""

RETURN = r"""
status:
  description: >-
    The state of each part: release, workers, units, certificate, the start of maintenance mode, backup, disk, failed units, pending reboot.
    Times are seconds since 1970, sizes bytes.
  type: dict
  returned: always
problems:
  description: One sentence for each problem.
  type: list
  elements: str
  returned: always
outage:
  description: The problems that make requests of visitors fail. Empty while the site is closed for maintenance.
  type: list
  elements: str
  returned: always
drift:
  description: When the files were recorded (UTC), and each path that differs, with the difference.
  type: dict
  returned: with O(drift)
"""

from ansible.module_utils import verbs
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={'drift': {'type': 'bool', 'default': False}}, supports_check_mode=True)
    # The exit status is 1 if there is a problem.
    status, found = verbs.attempt(module, ['status'])
    if 'status' not in found:
        module.fail_json(msg=found.get('message', f'map-app status exited with status {status}'))
    drift = {'drift': verbs.run(module, ['drift'])} if module.params['drift'] else {}
    module.exit_json(changed=False, **found, **drift)


if __name__ == '__main__':
    main()
