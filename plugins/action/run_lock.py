"""Keep two runs from changing one machine at a time: the controller's half of the lock (the other is the module)."""

from __future__ import annotations

import getpass
import os
import socket
import time
from datetime import UTC, datetime
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase


def started(pid: int) -> str:
    """Returns the start time of a process on this controller, for comparison; '' without /proc."""
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as boot, open(f'/proc/{pid}/stat', encoding='ascii') as stat:
            # The process name, in parentheses, may contain spaces. The start time is the 20th field after it.
            return boot.read().strip() + ' ' + stat.read().rpartition(')')[2].split()[19]
    except OSError:
        return ''


def this_run() -> Record:
    # Actions run in forks; ansible-playbook itself is their parent.
    pid = os.getppid()
    return {
        'who': getpass.getuser(),
        'controller': socket.gethostname(),
        'pid': pid,
        'started': started(pid),
        'what': ' '.join(os.path.basename(playbook) for playbook in context.CLIARGS.get('args') or []) or 'a task',
        'when': datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC'),
    }


def is_dead(holder: Record) -> bool:
    """Returns whether the run in this record has ended. False for runs of other controllers, which cannot be checked."""
    if holder['controller'] != socket.gethostname():
        return False
    try:
        os.kill(holder['pid'], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # Another process may have the same id by now.
    return started(holder['pid']) != holder['started']


def sentence(holder: Record, host: str) -> str:
    return (
        f'{holder["who"]}@{holder["controller"]} has been running {holder["what"]} on {host} since {holder["when"]} '
        f'(process {holder["pid"]} there): wait for it to end (-e run_lock_wait=600 waits up to 600 seconds), '
        f'or, if that process no longer exists, delete /run/map-app-run.lock on {host}.'
    )


Record = dict[str, Any]


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = {'state': self._task.args.get('state'), 'record': this_run()}
        answer = self.ask(arguments, task_vars)
        patience = time.monotonic() + float(self._task.args.get('wait', 0))
        if answer.get('holder') and time.monotonic() < patience:
            self._display.display(f'waiting: {sentence(answer["holder"], task_vars["inventory_hostname"])}')
        while answer.get('holder') and time.monotonic() < patience:
            time.sleep(2)
            answer = self.ask(arguments, task_vars)
        result.update(answer)
        if answer.get('holder'):
            message = sentence(answer['holder'], task_vars['inventory_hostname'])
            if self._task.check_mode:
                # A check takes no lock and changes nothing, but it may see a half-finished state.
                result['warnings'] = [message]
            else:
                result.update(failed=True, msg=message)
        return result

    def ask(self, arguments: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        """Returns the result of the module, after replacing the lock of a dead run."""
        answer = self._execute_module('run_lock', arguments, task_vars=task_vars)
        if answer.get('holder') and is_dead(answer['holder']):
            answer = self._execute_module('run_lock', {**arguments, 'dead': answer['holder']}, task_vars=task_vars)
        return answer
