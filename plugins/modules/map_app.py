#!/usr/bin/python
"""Run a verb of the map-app command and report its result."""

from __future__ import annotations

DOCUMENTATION = r"""
module: map_app
short_description: Run a verb of the map-app command and report its result
description:
  - Runs C(/usr/local/bin/map-app) with C(--json) and returns its output. In check mode it adds C(--check), so that the verb changes nothing.
options:
  argv:
    description: The verb and its arguments.
    type: list
    elements: str
    required: true
  plan:
    description: Whether to always add C(--check), to print what the verb would do. The task then reports no change.
    type: bool
    default: false
  reads:
    description: Whether the verb changes nothing. It is then run in check mode, too.
    type: bool
    default: false
  input:
    description: The text on the input of the verb. A list or dictionary is passed as JSON.
    type: json
  unit:
    description: The name of a systemd unit to run it in. It then continues if the connection breaks.
  pending:
    description: Whether a task of this run installed a requirement of the verb. In check mode, the module then reports a change without running the verb.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Prepare the repository
  map_app:
    argv: [backups, prepare]

- name: Run nginx
  map_app:
    argv: [units]
    input:
      units:
        - { name: nginx.service, enabled: true, state: started }
"""

RETURN = r"""
msg:
  description: One sentence with what was done, or would be.
  type: str
  returned: always
result:
  description: The output of the verb. C(map-app VERB --help) documents its format.
  type: dict
  returned: when the verb was run
"""

from ansible.module_utils import verbs
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            'argv': {'type': 'list', 'elements': 'str', 'required': True},
            'plan': {'type': 'bool', 'default': False},
            'reads': {'type': 'bool', 'default': False},
            'input': {'type': 'json'},
            'unit': {},
            'pending': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    options = module.params
    if module.check_mode and (options['pending'] or not verbs.is_installed()):
        module.exit_json(changed=True, msg=f'map-app {" ".join(options["argv"])} would be run.')
    check = options['plan'] or (module.check_mode and not options['reads'])
    result = verbs.run(module, [*options['argv'], *(['--check'] if check else [])], None if check else options['unit'], options['input'])
    diff = {'diff': result['diff']} if 'diff' in result else {}
    module.exit_json(changed=result.get('changed', False) and not options['plan'], msg=result.get('message', ''), result=result, **diff)


if __name__ == '__main__':
    main()
