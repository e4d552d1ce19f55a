"""What systemd knows of units, and whether the files they read were written since they started."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime

RUNNING = ('active', 'reloading', 'refreshing')


def newest(paths):
    """The time (seconds since 1970) and path of what was written last, or (0, None)."""
    found = [(0.0, None)]
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            found.append(newest(os.path.join(path, name) for name in os.listdir(path)))
        if os.path.lexists(path):
            found.append((os.lstat(path).st_mtime, path))
    return max(found, key=lambda entry: entry[0])


def seconds(timestamp):
    """`Sun 2026-01-04 10:00:00.123456 UTC` as seconds since 1970; None where systemd has no time to tell."""
    parts = timestamp.split()
    if len(parts) != 4:
        return None
    moment = datetime.strptime(' '.join(parts[1:3]), '%Y-%m-%d %H:%M:%S.%f')
    return moment.replace(tzinfo=UTC).timestamp()


def show(names, *properties):
    """These properties of each unit, or of the loaded units that a glob fits, by the unit's name."""
    command = ['systemctl', 'show', '--timestamp=us+utc', '--property=' + ','.join(('Id', *properties)), '--', *names]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, 'LC_ALL': 'C'}).stdout
    units = {}
    for block in output.split('\n\n'):
        unit = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
        if 'Id' in unit:
            units[unit.pop('Id')] = unit
    return units


def running(names):
    """The running units among names, each with the time from which it may have read its files."""
    # The main process starts, and reads, before the unit counts as active; a socket has no process.
    times = ('ExecMainStartTimestamp', 'ActiveEnterTimestamp')
    units = {}
    for name, unit in show(names, 'ActiveState', *times).items():
        starts = [start for start in (seconds(unit.get(time, '')) for time in times) if start]
        if unit.get('ActiveState') in RUNNING and starts:
            units[name] = min(starts)
    return units


def stale(names, files, reloaded=0.0):
    """The running units among names that started, and last reloaded, before the newest of files: each with a sentence that says so."""
    written, path = newest(files)
    return {
        name: f'{name} started {utc(max(start, reloaded))}, {path} was written {utc(written)}'
        for name, start in running(names).items()
        if written > max(start, reloaded)
    }


def utc(moment):
    return datetime.fromtimestamp(moment, UTC).strftime('%Y-%m-%d %H:%M:%S.%f')
