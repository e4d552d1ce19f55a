#!/usr/bin/python
"""Bring the workers of a machine to a release: map-app deploy and rollback."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_release
short_description: Bring the workers to a release, or leave the one that serves where it is
description:
  - Runs C(map-app deploy) or C(map-app rollback). If anything goes wrong, the release that served before goes on, or is restored.
  - All of it is one command on the machine and not a task for each step, so that going back does not depend on the controller.
options:
  version:
    description: The release. For a rollback, empty for the last good one before the current.
    default: ""
  archive:
    description: The archive to unpack the release from, if it is not on the machine yet. It is removed.
    type: path
  sha256:
    description: What the archive's checksum must be.
  action:
    description: A C(rollback) goes to a release that was good before, and never migrates.
    choices: [deploy, rollback]
    default: deploy
  through_nginx:
    description: Whether nginx on this machine, if any, is in its final state, so that the site is checked through it.
    type: bool
    default: true
  pending:
    description: Whether a task of this run changed a file that the workers read. Only read in check mode.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Roll back to the last good release
  deploy_release:
    action: rollback
"""

RETURN = r"""
reasons:
  description: Why there was something to do, or is.
  type: list
  elements: str
  returned: always
phases:
  description: What was done, with the seconds it took.
  type: list
  elements: str
  returned: always
removed:
  description: Old releases that were removed.
  type: list
  elements: str
  returned: always
summary:
  description: What serves now, in a line.
  type: str
  returned: always
"""

from typing import Any

from ansible.module_utils import verbs
from ansible.module_utils.basic import AnsibleModule


def argv_of(options: dict[str, Any], check: bool) -> list[str]:
    """Returns the verb and its arguments."""
    argv = [options['action'], '--within-run', *(['--check'] if check else [])]
    if options['action'] == 'rollback':
        return argv + ([options['version']] if options['version'] else [])
    argv += [f'--version={options["version"]}', '--consume']
    argv += [f'--sha256={options["sha256"]}'] if options['sha256'] else []
    argv += [] if options['through_nginx'] else ['--before-nginx']
    argv += ['--pending'] if options['pending'] else []
    return [*argv, options['archive'] or options['version']]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            'version': {'default': ''},
            'archive': {'type': 'path'},
            'sha256': {},
            'action': {'choices': ['deploy', 'rollback'], 'default': 'deploy'},
            'through_nginx': {'type': 'bool', 'default': True},
            'pending': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not verbs.is_installed():
        sentence = f'No release serves yet, and {module.params["version"]} would.'
        module.exit_json(changed=True, reasons=['current points to no release'], phases=[], removed=[], summary=sentence)
    status, found = verbs.attempt(module, argv_of(module.params, module.check_mode))
    result = {name: found.get(name, []) for name in ('reasons', 'phases', 'removed')}
    result['summary'] = found.get('summary', found.get('message', ''))
    if status != 0:
        module.fail_json(msg=found.get('message', ''), changed=found.get('changed', False), **result)
    module.exit_json(changed=found['changed'], **result)


if __name__ == '__main__':
    main()
