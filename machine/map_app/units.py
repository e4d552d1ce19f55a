"""Queries and controls systemd units. The only module of the package that does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from .errors import Failure
from .journal import Journal
from .processes import Processes

# Packages keep their units elsewhere, and reload systemd themselves.
UNIT_FILES = '/etc/systemd/system'
RUNNING = ('active', 'reloading', 'refreshing')

Properties = dict[str, str]


class Units:
    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.journal = Journal(processes)

    def show(self, names: Sequence[str], *properties: str) -> dict[str, Properties]:
        """Returns these properties of each unit, or of the loaded units that match a glob, by the unit's name."""
        command = ['systemctl', 'show', '--timestamp=us+utc', '--property=' + ','.join(('Id', *properties)), '--', *names]
        units = {}
        for block in self.processes.require(command).split('\n\n'):
            unit = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
            if 'Id' in unit:
                units[unit.pop('Id')] = unit
        return units

    def running(self, names: Sequence[str]) -> dict[str, float]:
        """Returns the running units among names, each with the time from which it may have read its files."""
        # The main process starts, and reads, before the unit counts as active; a socket has no process.
        times = ('ExecMainStartTimestamp', 'ActiveEnterTimestamp')
        units = {}
        for name, unit in self.show(names, 'ActiveState', *times).items():
            starts = [start for start in (seconds(unit.get(time, '')) for time in times) if start]
            if unit.get('ActiveState') in RUNNING and starts:
                units[name] = min(starts)
        return units

    def stale(self, names: Sequence[str], files: Iterable[str], reloaded: float = 0.0) -> dict[str, str]:
        """
        Returns the running units among names that started, and last reloaded, before the newest of files was written: each with a sentence.
        """
        written, path = newest(files)
        return {
            name: f'{name} started {utc(max(start, reloaded))}, {path} was written {utc(written)}'
            for name, start in self.running(names).items()
            if written > max(start, reloaded)
        }

    def read_files(self) -> None:
        """Reloads systemd if a file of UNIT_FILES was written after systemd read them. To ask it about each unit takes 20 times as long."""
        read = self.processes.require(['systemctl', 'show', '--timestamp=us+utc', '--property=UnitsLoadTimestamp', '--value'])
        if newest([UNIT_FILES])[0] > (seconds(read) or 0.0):
            self.processes.require(['systemctl', 'daemon-reload'])

    def failed(self) -> list[str]:
        """Returns the names of the units that have failed."""
        listed = self.processes.run(['systemctl', 'list-units', '--failed', '--plain', '--no-legend']).output
        return [line.split()[0] for line in listed.splitlines() if line.strip()]

    def loaded(self, pattern: str) -> list[str]:
        """Returns the names of the units that systemd has in memory and that match a glob, running or not."""
        command = ['systemctl', 'list-units', '--all', '--plain', '--no-legend', pattern]
        return [line.split()[0] for line in self.processes.require(command).splitlines() if line.strip()]

    def has_restart_job(self, unit: str) -> bool:
        """Returns whether systemd is restarting a unit, or will after other jobs."""
        jobs = self.processes.require(['systemctl', 'list-jobs', '--plain', '--no-legend', unit])
        # The columns are the job's id, the unit, the type of job and its state.
        return any('restart' in line.split()[2] for line in jobs.splitlines() if len(line.split()) > 2)

    def is_active(self, unit: str) -> bool:
        return self.processes.run(['systemctl', 'is-active', '--quiet', unit]).status == 0

    def change(self, command: str, unit: str) -> None:
        """Runs a command of systemctl on a unit. Throws, with the last lines of the unit's journal if it does not start."""
        if command not in ('start', 'restart'):
            self.processes.require(['systemctl', command, '--quiet', unit])
        elif self.processes.run(['systemctl', command, unit]).status != 0:
            raise Failure(f'{unit} does not start. Its journal ends with:\n{self.journal.last_lines(unit, 10)}')

    def start(self, unit: str) -> None:
        """Starts a unit. Throws with the last lines of its journal if it does not start."""
        self.change('start', unit)

    def restart(self, units: Sequence[str]) -> bool:
        """Starts units, or stops and starts those that run. Returns whether all of them start."""
        return self.processes.run(['systemctl', 'restart', *units]).status == 0

    def stop(self, units: Sequence[str], *, with_dependents: bool = True) -> None:
        """
        Stops units.
        @param with_dependents: whether also to stop the units that require them, as systemd does by itself
        """
        options = [] if with_dependents else ['--job-mode=ignore-dependencies']
        self.processes.require(['systemctl', 'stop', *options, *units])

    def try_stop(self, *units: str) -> None:
        """Tries to stop units. Ignores failures, such as a unit that hangs while it starts."""
        self.processes.run(['systemctl', 'stop', *units])

    def begin_start(self, unit: str) -> None:
        """Starts a unit without waiting until it has started. try_start returns whether it did."""
        self.processes.require(['systemctl', 'start', '--no-block', unit])

    def try_start(self, unit: str) -> bool:
        """Starts a unit. Returns whether it started."""
        return self.processes.run(['systemctl', 'start', unit]).status == 0

    def kill(self, unit: str) -> None:
        """Ends the processes of a unit at once."""
        self.processes.run(['systemctl', 'kill', '--signal=KILL', unit])

    def reset_failed(self, unit: str) -> None:
        self.processes.run(['systemctl', 'reset-failed', unit])

    def is_enabled(self, unit: str) -> bool:
        return self.processes.run(['systemctl', 'is-enabled', '--quiet', unit]).status == 0


def newest(paths: Iterable[str]) -> tuple[float, str | None]:
    """Returns the time (seconds since 1970) and path of what was written last, or (0, None). For a folder everything in it counts."""
    found: list[tuple[float, str | None]] = [(0.0, None)]
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            found.append(newest(os.path.join(path, name) for name in os.listdir(path)))
        if os.path.lexists(path):
            found.append((os.lstat(path).st_mtime, path))
    return max(found, key=lambda entry: entry[0])


def seconds(timestamp: str) -> float | None:
    """Returns `Sun 2026-01-04 10:00:00.123456 UTC` as seconds since 1970; None if systemd prints no time."""
    parts = timestamp.split()
    if len(parts) != 4:
        return None
    moment = datetime.strptime(' '.join(parts[1:3]), '%Y-%m-%d %H:%M:%S.%f')
    return moment.replace(tzinfo=UTC).timestamp()


def utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime('%Y-%m-%d %H:%M:%S.%f')
