"""Reject command lines and inventories with which a run would do nothing, or something unintended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__

DOCUMENTATION = r"""
name: command_line
type: aggregate
short_description: Rejects invalid command lines and inventories
description:
  - Ends C(ansible-playbook) with exit code 5 and one sentence before it connects to any machine.
  - The links C(library), C(action_plugins), C(callback_plugins) and C(playbooks/roles) next to the playbooks let Ansible find this plugin,
    and parse the playbooks, even in another working folder, where Ansible does not read C(ansible.cfg).
"""

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
GROUPS = ('web', 'app', 'db')
# requirements.in locks this version or a later one.
OLDEST = (2, 19)
SPECIAL_TAGS = {'all', 'tagged', 'untagged', 'always', 'never'}


def environments() -> str:
    folder = os.path.join(ROOT, 'inventory')
    return ', '.join(f'-i inventory/{name}' for name in sorted(os.listdir(folder)))


def check_version(_playbook: object) -> str | None:
    if tuple(int(part) for part in __version__.split('.')[:2]) < OLDEST:
        return (
            f'This is Ansible {__version__} from {sys.prefix}, which is too old for these playbooks. '
            f"Activate the project's own: scripts/setup ansible && . .venv/bin/activate"
        )
    return None


def check_working_folder(_playbook: object) -> str | None:
    if not C.CONFIG_FILE or os.path.realpath(C.CONFIG_FILE) != os.path.join(ROOT, 'ansible.cfg'):
        return (
            f'Ansible does not use the settings in {ROOT}/ansible.cfg, because it runs in another folder (or because the folder '
            f'is world-writable). Run it in the repository: cd {ROOT}'
        )
    return None


def check_start(_playbook: object) -> str | None:
    if context.CLIARGS.get('start_at_task'):
        return (
            '--start-at-task would skip the checks and the lock at the beginning of the run. '
            'Run the whole playbook (finished tasks take only moments), or one role with --tags.'
        )
    return None


def check_inventory(_playbook: object) -> str | None:
    default, origin = C.config.get_config_value_and_origin('DEFAULT_HOST_LIST')
    sources = list(context.CLIARGS.get('inventory') or [])
    if origin == 'default' and sources == list(default):
        return f'No inventory is given, so Ansible has no machines. Add one: {environments()}.'
    for source in sources:
        if ',' not in source and not os.path.exists(source):
            return f'The inventory {os.path.relpath(source)} does not exist. Use one of these: {environments()}.'
    return None


def yaml_files() -> Iterator[str]:
    """Yields the YAML files of the inventories and of group_vars, sorted by name."""
    sources = [source for source in context.CLIARGS['inventory'] if ',' not in source]
    for top in [*sources, os.path.join(ROOT, 'group_vars')]:
        if os.path.isfile(top):
            yield top
        for folder, _, names in sorted(os.walk(top)):
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(('.yml', '.yaml')))


def yaml_fault(path: str, loader: Any) -> str | None:
    """Returns the YAML error of a file with its position, or None. Quotes nothing from a vault."""
    try:
        text = str(loader.get_text_file_contents(path))
    except AnsibleError:
        # Ansible itself reports a file that cannot be read, or a vault that cannot be decrypted.
        return None
    try:
        root = yaml.compose(text, yaml.CSafeLoader if hasattr(yaml, 'CSafeLoader') else yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        with open(path, 'rb') as file:
            encrypted = file.read(14) == b'$ANSIBLE_VAULT'
        problem = '' if encrypted else f': {error.context + ": " if error.context else ""}{error.problem}'
        return f'{os.path.relpath(path)}, line {mark.line + 1}, column {mark.column + 1}, is not valid YAML{problem}.'
    if root is not None and not isinstance(root, yaml.MappingNode):
        return f'{os.path.relpath(path)}, line {root.start_mark.line + 1}, must be lines of "name: value".'
    return None


def check_yaml(playbook: Any) -> str | None:
    loader = playbook.get_loader()
    faults = [fault for fault in (yaml_fault(path, loader) for path in yaml_files()) if fault]
    return ' '.join(faults) + ' Correct the file, then run again.' if faults else None


def check_hosts(playbook: Any) -> str | None:
    groups = playbook.get_plays()[0].get_variable_manager().get_vars()['groups']
    sources = ', '.join(source if ',' in source else os.path.relpath(source) for source in context.CLIARGS['inventory'])
    missing = [group for group in GROUPS if group not in groups]
    if missing:
        return f'The inventory {sources} has no group {" and no group ".join(missing)}. Define the groups web, app and db as in inventory/production/hosts.yml.'
    if not any(groups[group] for group in GROUPS):
        return f'The inventory {sources} contains no machine. Add one to its groups web, app and db, as in inventory/production/hosts.yml.'
    return None


def tags_in(tasks: Any) -> Iterator[str]:
    for task in tasks:
        if hasattr(task, 'block'):
            yield from tags_in([*task.block, *task.rescue, *task.always])
        else:
            yield from task.tags


def check_tags(playbook: Any) -> str | None:
    named = {*context.CLIARGS['tags'], *context.CLIARGS['skip_tags']} - SPECIAL_TAGS
    if not named:
        return None
    known = {tag for play in playbook.get_plays() for tag in tags_in(play.compile())} - SPECIAL_TAGS
    unknown = sorted(named - known)
    if not unknown:
        return None
    which = f'Its tags are {", ".join(sorted(known))}' if known else 'It has none'
    return f'{os.path.basename(playbook._file_name)} has no tag {", ".join(unknown)}. {which}.'


# In this order, because each check relies on the ones before it.
CHECKS = (check_version, check_working_folder, check_start, check_inventory, check_yaml, check_hosts, check_tags)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'command_line'

    def v2_playbook_on_start(self, playbook: Any) -> None:
        for check in CHECKS:
            sentence = check(playbook)
            if sentence:
                self._display.error(sentence, wrap_text=False)
                # Ansible's code for bad options. An exception would only be reported as a fault of this plugin.
                sys.exit(5)
