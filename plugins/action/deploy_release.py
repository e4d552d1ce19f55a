"""Deploy or roll back a release: ships its archive from the controller if the machine needs it, and runs map-app deploy or rollback."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

ARGUMENTS = {
    'action': {'type': 'str', 'choices': ['deploy', 'rollback'], 'default': 'deploy'},
    'version': {'type': 'str', 'default': ''},
    'folder': {'type': 'path', 'default': ''},
    'archive': {'type': 'path', 'default': ''},
    'sha256': {'type': 'str', 'default': ''},
    'through_nginx': {'type': 'bool', 'default': True},
    'pending': {'type': 'bool', 'default': False},
}
# What the command reports.
FIELDS = ('reasons', 'phases', 'removed')


class ActionModule(ActionBase):
    """
    One command on the machine runs all steps, so that an automatic rollback does not depend on the controller. If anything fails, the previous release
    keeps serving, or is restored.
    Arguments: C(action), deploy or rollback, which chooses a release that was good before and never migrates; C(version), the release, which may be
    empty for a rollback to the last good one before the current; C(folder), its folder on the machine; C(archive) and C(sha256), its archive on the
    controller with the expected checksum; C(through_nginx), whether nginx on this machine, if any, is in its final state, so that the site is checked
    through it; C(pending), in check mode whether a task of this run changed a file that the workers read. Returns C(reasons), why the release was
    deployed, or would be; C(phases), each with its duration in seconds; C(removed), the old releases that were removed; and C(summary), a line with the
    serving release.
    """

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(ARGUMENTS)
        map_app = self._shared_loader_obj.action_loader.get(
            'map_app', self._task, self._connection, self._play_context, self._loader, self._templar, self._shared_loader_obj
        )
        archive = ''
        if options['archive'] and not self._task.check_mode and not self.is_there(f'{options["folder"]}/map-app.mjs'):
            archive = self.ship(options['archive'])
        status, found = map_app.verb(argv_of(options, archive, self._task.check_mode))
        if 'summary' not in found and status == 0:
            reason = 'the map-app command on the machine is missing or of another release'
            found = {'changed': True, 'reasons': [reason], 'summary': f'{options["version"]} would be deployed.'}
        result.update(
            {name: found.get(name, []) for name in FIELDS}, changed=found.get('changed', False), summary=found.get('summary', found.get('message', ''))
        )
        if status != 0:
            raise AnsibleActionFail(found.get('message', ''), result=result)
        return result

    def is_there(self, path: str) -> bool:
        """Returns whether a file exists on the machine."""
        return bool(self._low_level_execute_command(f'test -e {shlex.quote(path)}')['rc'] == 0)

    def ship(self, archive: str) -> str:
        """Returns the path of the archive on the machine, in Ansible's temporary folder, which Ansible removes after the task."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        path = self._transfer_file(archive, shell.join_path(shell.tmpdir, 'release.tar.gz'))
        self._fixup_perms2([shell.tmpdir, path])
        return str(path)


def argv_of(options: dict[str, Any], archive: str, check: bool) -> list[str]:
    """Returns the verb and its arguments. @param archive: the archive on the machine, if it was needed there"""
    argv = [options['action'], '--within-run', *(['--check'] if check else [])]
    if options['action'] == 'rollback':
        return argv + ([options['version']] if options['version'] else [])
    argv += [f'--version={options["version"]}']
    argv += [f'--sha256={options["sha256"]}'] if options['sha256'] else []
    argv += [] if options['through_nginx'] else ['--before-nginx']
    argv += ['--pending'] if options['pending'] else []
    return [*argv, archive or options['version']]
