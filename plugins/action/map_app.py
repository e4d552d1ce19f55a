"""Run a verb of the map-app command and report its result. As a module it would take twice as long, because Ansible would send it each time."""

from __future__ import annotations

import json
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

COMMAND = '/usr/local/bin/map-app'
# By the exit status: of the command for an invalid command line, of a shell for a command that does not exist.
FAULTS = {
    2: 'The map-app command on this machine is of another release than these playbooks',
    127: 'The map-app command is not installed on this machine',
}
ARGUMENTS = {
    'argv': {'type': 'list', 'elements': 'str', 'required': True},
    'plan': {'type': 'bool', 'default': False},
    'reads': {'type': 'bool', 'default': False},
    'input': {'type': 'json', 'default': ''},
    'unit': {'type': 'str', 'default': ''},
    'pending': {'type': 'bool', 'default': False},
}


class ActionModule(ActionBase):
    """
    Arguments: C(argv), the verb and its arguments; C(input), the text on its input, of which a list or dictionary is passed as JSON; C(unit), the name
    of a systemd unit to run it in, which continues if the connection breaks; C(reads), whether the verb changes nothing, so that check mode runs it,
    too; C(plan), whether to only print what the verb would do. In check mode, C(pending) tells that an earlier task would install a requirement of
    the verb. Returns C(msg), one sentence with what was done, or would be, and C(result), the output that C(map-app VERB --help) describes.
    """

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(ARGUMENTS)
        argv, check = options['argv'], options['plan'] or (self._task.check_mode and not options['reads'])
        if self._task.check_mode and options['pending']:
            status, found = 0, predicted(argv)
        else:
            status, found = self.verb([*argv, '--check'] if check else argv, options['input'], '' if check else options['unit'])
        result.update(failed=status != 0, changed=found.get('changed', False) and not options['plan'], msg=found.get('message', ''), result=found)
        return {**result, 'diff': found['diff']} if 'diff' in found else result

    def verb(self, argv: list[str], text: str = '', unit: str = '') -> tuple[int, dict[str, Any]]:
        """
        Runs a verb with --json. Throws if the command does not know it. In check mode, the command may be missing, or of an earlier release that does not
        have the verb: then returns a predicted change.
        @returns the exit status and the output
        """
        command = [COMMAND, *argv, '--json']
        if unit:
            command = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', f'--unit={unit}', *command]
        # Without input, ssh would allocate a terminal, which mixes the two outputs.
        ended = self._low_level_execute_command(shlex.join(command), in_data=(text or '\n').encode())
        if ended['rc'] in FAULTS:
            if self._task.check_mode:
                return 0, predicted(argv)
            raise AnsibleActionFail(f'{FAULTS[ended["rc"]]}: run site.yml. {ended["stderr"].strip()}')
        try:
            return ended['rc'], json.loads(ended['stdout'])
        except ValueError:
            said = ended['stderr'].strip() or ended['stdout'].strip() or 'it printed nothing'
            raise AnsibleActionFail(f'{" ".join(["map-app", *argv])} exited with status {ended["rc"]}: {said}') from None


def predicted(argv: list[str]) -> dict[str, Any]:
    return {'changed': True, 'message': f'map-app {" ".join(argv)} would be run.'}
