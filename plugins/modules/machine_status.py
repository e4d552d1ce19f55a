#!/usr/bin/python
"""Print how the map on a machine does: map-app status and drift."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_status
short_description: Read how the map on a machine does
description:
  - Runs C(map-app status) and C(map-app drift), which change nothing.
options:
  drift:
    description: Whether to compare the files of the configuration with how the last run of site.yml left them.
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
    What each part says: release, workers, units, certificate, since when the site is closed, backup, disk, failed units, pending reboot.
    Times are seconds since 1970, sizes bytes.
  type: dict
  returned: always
problems:
  description: One sentence for each thing that is wrong.
  type: list
  elements: str
  returned: always
outage:
  description: Those of them for which requests of visitors fail; empty while the site is closed for maintenance.
  type: list
  elements: str
  returned: always
drift:
  description: When the files were recorded (UTC), and each path that differs with how.
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
        module.fail_json(msg=found.get('message', f'map-app status ended with {status}'))
    drift = {'drift': verbs.run(module, ['drift'])} if module.params['drift'] else {}
    module.exit_json(changed=False, **found, **drift)


if __name__ == '__main__':
    main()
