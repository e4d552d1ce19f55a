#!/usr/bin/python
"""Deploy or roll back a release on a machine: map-app deploy and rollback."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_release
short_description: Deploy a release, or keep the serving one if anything fails
description:
  - Runs C(map-app deploy) or C(map-app rollback). If anything fails, the previous release keeps serving, or is restored.
  - One command on the machine runs all steps, so that an automatic rollback does not depend on the controller.
options:
  version:
    description: The release. For a rollback, empty for the last good one before the current.
    default: ""
  folder:
    description: >-
      The folder of the release on the machine. If it contains no program, the action plugin of this name copies the archive to the machine.
    type: path
  archive:
    description: The archive of the release. A path on the controller, which the action plugin replaces with the one on the machine.
    type: path
  sha256:
    description: The expected checksum of the archive.
  action:
    description: A C(rollback) chooses a release that was good before, and never migrates.
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
  description: Why the release was deployed, or would be.
  type: list
  elements: str
  returned: always
phases:
  description: The phases, with their duration in seconds.
  type: list
  elements: str
  returned: always
removed:
  description: Old releases that were removed.
  type: list
  elements: str
  returned: always
summary:
  description: One line with the serving release.
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
    argv += [f'--version={options["version"]}']
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
            # Only the action plugin reads it.
            'folder': {'type': 'path'},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not verbs.is_installed():
        sentence = f'No release serves yet; {module.params["version"]} would be deployed.'
        module.exit_json(changed=True, reasons=['current points to no release'], phases=[], removed=[], summary=sentence)
    status, found = verbs.attempt(module, argv_of(module.params, module.check_mode))
    result = {name: found.get(name, []) for name in ('reasons', 'phases', 'removed')}
    result['summary'] = found.get('summary', found.get('message', ''))
    if status != 0:
        module.fail_json(msg=found.get('message', ''), changed=found.get('changed', False), **result)
    module.exit_json(changed=found['changed'], **result)


if __name__ == '__main__':
    main()
