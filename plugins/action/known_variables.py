"""Reject unknown and invalid variables before any role has changed anything."""

from __future__ import annotations

import difflib
import os
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.vault import AnsibleVaultError, EncryptedString
from ansible.plugins.action import ActionBase


def options(folder: str, role: str) -> dict[str, Any]:
    """The variables of a role, as its specification describes them."""
    path = os.path.join(folder, role, 'meta', 'argument_specs.yml')
    with open(path, encoding='utf-8') as file:
        return yaml.safe_load(file)['argument_specs']['main'].get('options') or {}


def unknown(name: str, role: str, known: Any, renamed: dict[str, str]) -> str:
    """Returns the message for an unknown variable with the prefix of a role."""
    if name in renamed:
        return f'{name} is now called {renamed[name]}: rename it.'
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {near[0]}?' if near else f'roles/{role}/README.md lists its variables.'
    return f'The role {role} has no variable {name}: {hint}'


def refuse_closed_vault(variables: dict[str, Any]) -> None:
    """Fails if a variable is encrypted and no vault password decrypts it."""
    try:
        for value in variables.values():
            if isinstance(value, EncryptedString):
                str(value)
    except AnsibleVaultError as error:
        reason = str(error).rstrip('.')
        raise AnsibleActionFail(
            f'The secrets in vault.yml cannot be read ({reason}): enter the vault password with --ask-vault-pass, '
            'or set ANSIBLE_VAULT_PASSWORD_FILE to a file that contains it.'
        ) from None


class ActionModule(ActionBase):
    """
    Arguments: C(roles), the folder of the roles; C(others), known names that are in no role's specification;
    C(renamed), former names with the current ones.
    """

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        refuse_closed_vault(task_vars)
        folder = self._task.args['roles']
        roles = {role: options(folder, role) for role in sorted(os.listdir(folder), key=len, reverse=True)}
        known = {name for variables in roles.values() for name in variables}.union(self._task.args['others'])

        faults = []
        for name in sorted(set(task_vars) - known):
            role = next((role for role in roles if name.startswith(role + '_')), None)
            if role:
                faults.append(unknown(name, role, known, self._task.args['renamed']))
        for variables in roles.values():
            faults += self.misfits(variables, task_vars)
        if faults:
            raise AnsibleActionFail(' '.join(faults))
        return {**result, 'changed': False}

    def misfits(self, variables: dict[str, Any], task_vars: Any) -> list[str]:
        """Returns one sentence for each variable that has a value of the wrong type. Missing variables are another check's task."""
        given = {name: self._templar.template(task_vars[name]) for name in variables if name in task_vars}
        spec = {name: {**variables[name], 'required': False} for name in given}
        return [f'{message}.' for message in ArgumentSpecValidator(spec).validate(given).error_messages]
