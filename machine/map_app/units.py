"""Talks to systemd about units. No other module of the package does."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import Failure
from .journal import Journal
from .processes import Processes


class Units:
    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.journal = Journal(processes)

    def loaded(self, pattern: str) -> list[str]:
        """Returns the names of the units that systemd has in memory and that a glob fits, running or not."""
        command = ['systemctl', 'list-units', '--all', '--plain', '--no-legend', pattern]
        return [line.split()[0] for line in self.processes.require(command).splitlines() if line.strip()]

    def has_restart_job(self, unit: str) -> bool:
        """Returns whether systemd is restarting a unit, or will after other jobs."""
        jobs = self.processes.require(['systemctl', 'list-jobs', '--plain', '--no-legend', unit])
        # The columns are the job's number, the unit, the kind of job and its state.
        return any('restart' in line.split()[2] for line in jobs.splitlines() if len(line.split()) > 2)

    def is_active(self, unit: str) -> bool:
        return self.processes.run(['systemctl', 'is-active', '--quiet', unit]).status == 0

    def start(self, unit: str) -> None:
        """Starts a unit. Throws with the last lines of its journal if it does not start."""
        if self.processes.run(['systemctl', 'start', unit]).status != 0:
            raise Failure(f'{unit} does not start. Its journal ends with:\n{self.journal.last_lines(unit, 10)}')

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

    def try_stop(self, unit: str) -> None:
        """Stops a unit if that is possible: one that hangs in its start, for example, cannot be."""
        self.processes.run(['systemctl', 'stop', unit])
