"""Processes, units, space on the disk, and the lock that keeps backup, drill and restore apart."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys

from settings import STATE


class Refusal(Exception):
    """What cannot be done, in one sentence for the operator."""


def run(command, user='root', check=True, binary=False, **options):
    """Runs a command, optionally as another user, and returns its result with both outputs, as text or as bytes.

    A command that fails is a Refusal with its last lines, unless check is False.
    """
    command = [str(part) for part in command]
    # What a wrong key makes of a file is no text.
    text = {} if binary else {'encoding': 'utf-8', 'errors': 'replace'}
    options = {'capture_output': True, 'cwd': '/', **text, **options}
    result = subprocess.run(command, user=user, group=user, extra_groups=[], check=False, **options)
    if check and result.returncode:
        said = result.stderr or result.stdout or 'it does not say why'
        said = said.decode(errors='replace') if isinstance(said, bytes) else said
        raise Refusal(f'{" ".join(command[:3])} failed: {said.strip()[-800:]}')
    return result


def is_active(unit):
    return run(['systemctl', 'is-active', '--quiet', unit], check=False).returncode == 0


def start(unit):
    if run(['systemctl', 'start', unit], check=False).returncode:
        journal = run(['journalctl', '--no-pager', '--no-hostname', '--lines=10', f'--unit={unit}'], check=False).stdout
        raise Refusal(f'{unit} does not start. Its journal ends with:\n{journal.strip()}')


def stop(unit):
    run(['systemctl', 'stop', unit])


def need_space(folder, needed, purpose):
    """Refuses where a file system would not hold what is to come, with room to spare for those who write meanwhile."""
    free = shutil.disk_usage(folder).free
    wanted = needed * 5 // 4 + 256 * 2**20
    if free < wanted:
        raise Refusal(f'{purpose} needs {wanted // 2**20} MB in {folder}, which has {free // 2**20} MB left: make room there, then try again.')


def alone():
    """Waits until no other backup, drill or restore is under way, and keeps them off until this process ends."""
    lock = (STATE / 'lock').open('w', encoding='utf-8')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print('Waits for another backup, drill or restore to end.', file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock
