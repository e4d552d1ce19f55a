"""Install packages with apt. Skips the call of apt, which takes seconds, if preflight has found all of them installed."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Arguments: C(name), the packages. C(preflight_machine.packages) lists the ones that are on the machine."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if set(self._task.args['name']) <= set(task_vars.get('preflight_machine', {}).get('packages', [])):
            return {**result, 'changed': False}
        arguments = {'name': self._task.args['name'], 'lock_timeout': 600}
        return {**result, **self._execute_module('ansible.builtin.apt', arguments, task_vars=task_vars)}
