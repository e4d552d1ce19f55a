"""The run lock: only one run of a playbook or of this program changes a machine at a time. Also a lock between processes.

An Ansible module imports this file, too, so it uses nothing else of the package.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Below /run, so that a reboot frees it, too.
PATH = Path('/run/map-app-run.lock')

Record = Mapping[str, Any]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """
    Holds an exclusive lock on a folder for the length of the block; waits if another process holds it. The kernel also releases the lock of a
    process that dies.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def same(one: Record | None, other: Record | None) -> bool:
    """Returns whether both records belong to the same run. A run requests the lock more than once, so the time of the request is ignored."""
    return bool(one and other) and all(one[key] == other[key] for key in ('controller', 'pid', 'started'))  # type: ignore[index]


class RunLock:
    """A file with the user, the playbook, the controller and the start of a run. The controller decides whether a holder is dead."""

    def __init__(self, path: Path = PATH) -> None:
        self.path = path

    def holder(self) -> Record | None:
        """Returns the record of the run that holds the lock, or None."""
        try:
            found: Record = json.loads(self.path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        return found

    def take(self, record: Record, dead: Record | None = None, check: bool = False) -> Record | None:
        """
        Takes the lock for a run, unless another one holds it.
        @param dead: the record of a holder that is known to be dead and may be replaced
        @returns the record of the other run that holds it, or None
        """
        # Makes reading and writing atomic for other processes.
        with locked(self.path.parent):
            holder = self.holder()
            if holder is not None and not same(holder, record) and not same(holder, dead):
                return holder
            if not check and not same(holder, record):
                self.write(record)
        return None

    def free(self, record: Record, check: bool = False) -> None:
        """Releases the lock if this run holds it."""
        with locked(self.path.parent):
            if same(self.holder(), record) and not check:
                self.path.unlink()

    def write(self, record: Record) -> None:
        """Replaces the record atomically, so that an interrupted run leaves no partial one."""
        new = self.path.with_name(self.path.name + '.new')
        new.write_text(json.dumps(record), encoding='utf-8')
        new.chmod(0o644)
        new.replace(self.path)

    def run_under_way(self) -> dict[str, str]:
        """Returns the user and the command of the current run."""
        holder = self.holder()
        if holder is None:
            return {'who': operator(), 'what': 'map-app'}
        return {'who': f'{holder["who"]}@{holder["controller"]}', 'what': str(holder['what'])}


def this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {'who': operator(), 'controller': os.uname().nodename, 'pid': pid, 'started': started(pid), 'when': datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')}


def operator() -> str:
    """Returns the name of the user that became root."""
    return os.environ.get('SUDO_USER') or 'root'


def started(pid: int) -> str:
    """Returns the start time of a process of this machine, for comparison; '' if it does not exist."""
    try:
        boot = Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
        # The process name, in parentheses, may contain spaces. The start time is the 20th field after it.
        return boot + ' ' + Path(f'/proc/{pid}/stat').read_text(encoding='ascii', errors='replace').rpartition(')')[2].split()[19]
    except OSError:
        return ''


def is_dead(holder: Record) -> bool:
    """Returns whether the run in a record has ended. False for runs of other controllers, which cannot be checked."""
    return bool(holder['controller'] == os.uname().nodename and started(int(holder['pid'])) != holder['started'])


def sentence(holder: Record) -> str:
    return (
        f'{holder["who"]}@{holder["controller"]} has been running {holder["what"]} on this machine since {holder["when"]} '
        f'(process {holder["pid"]} there). Wait for it to end or, if that process no longer exists, delete {PATH}.'
    )
