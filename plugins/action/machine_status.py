"""Read the state of the map on a machine: map-app status and drift, which change nothing."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """
    Arguments: C(drift), whether to compare the configuration files with their state after the last run of site.yml. Returns C(status), the state of
    each part, of which times are seconds since 1970 and sizes bytes; C(problems), one sentence for each; C(outage), the problems that make requests of
    visitors fail; and with C(drift) when the files were recorded (UTC), and each path that differs, with the difference.
    """

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        map_app = self._shared_loader_obj.action_loader.get(
            'map_app', self._task, self._connection, self._play_context, self._loader, self._templar, self._shared_loader_obj
        )
        # The exit status is 1 if there is a problem.
        status, found = map_app.verb(['status'])
        if 'status' not in found:
            raise AnsibleActionFail(found.get('message', f'map-app status exited with status {status}'))
        return {**result, **found, 'changed': False, **({'drift': map_app.verb(['drift'])[1]} if self._task.args.get('drift') else {})}
