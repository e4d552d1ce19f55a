"""Deploy or roll back a release: ships its archive from the controller if the machine needs it. The module of this name does the rest."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        archive, folder = arguments.pop('archive', None), arguments.get('folder')
        if archive and not self._task.check_mode and not self.is_there(f'{folder}/map-app.mjs'):
            arguments['archive'] = self.ship(archive)
        return {**result, **self._execute_module('deploy_release', arguments, task_vars=task_vars)}

    def is_there(self, path: str) -> bool:
        """Returns whether a file exists on the machine. A shell starts in a tenth of the time of a module."""
        return bool(self._low_level_execute_command(f'test -e {shlex.quote(path)}')['rc'] == 0)

    def ship(self, archive: str) -> str:
        """Returns the path of the archive on the machine, in Ansible's temporary folder, which Ansible removes after the task."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        path = self._transfer_file(archive, shell.join_path(shell.tmpdir, 'release.tar.gz'))
        self._fixup_perms2([shell.tmpdir, path])
        return str(path)
