#!/usr/bin/python
"""Add a line to the machine's audit log."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: Add a line to the machine's audit log
description:
  - Notes in C(/var/log/map-app-audit.jsonl), and with fields in the journal, what a playbook did to the service, by whom and how it ended.
    Who runs what is taken from the run lock. Deploys and rollbacks note themselves.
  - A note is no change of the machine.
options:
  action:
    description: What was done, in a word, such as C(restart) or C(restore).
    required: true
  outcome:
    description: How it ended.
    choices: [good, failed]
    default: good
  reason:
    description: Why, in a sentence.
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Note the restore
  audit:
    action: restore
    reason: the machine was rebuilt
"""

from ansible.module_utils.audit import note
from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(
        argument_spec={'action': {'required': True}, 'outcome': {'choices': ['good', 'failed'], 'default': 'good'}, 'reason': {}},
        supports_check_mode=True,
    )
    if not module.check_mode:
        note(module.params['action'], module.params['outcome'], reason=module.params['reason'])
    module.exit_json(changed=False)


if __name__ == '__main__':
    main()
