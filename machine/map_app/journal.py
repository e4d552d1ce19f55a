"""Reads systemd's journal. The only module of the package that does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from .processes import Processes


def command(units: Sequence[str]) -> str:
    """Returns the command with which an operator reads the journal of units."""
    return ' '.join(['journalctl', *(f"--unit='{unit}'" if '*' in unit else f'--unit={unit}' for unit in units)])


class Journal:
    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def print(self, units: Sequence[str], lines: int, follow: bool) -> int:
        """Prints the last lines of units, and with `follow` also new ones. journalctl escapes control characters."""
        options = ['--no-pager', '--no-hostname', f'--lines={lines}', *(['--follow'] if follow else [])]
        return self.processes.attach(['journalctl', *options, *(f'--unit={unit}' for unit in units)])

    def last_lines(self, unit: str, lines: int, since: float | None = None) -> str:
        """Returns the last lines of a unit in the readable format; with `since` (seconds since 1970) only later ones."""
        later = [] if since is None else [f'--since=@{since:.0f}']
        return self.processes.run(['journalctl', '--no-pager', '--no-hostname', f'--lines={lines}', *later, f'--unit={unit}']).output.strip()

    def messages(self, unit: str, lines: int) -> list[str]:
        """Returns the last messages of a unit, without time and name."""
        return self.processes.run(['journalctl', '--no-pager', '--output=cat', f'--lines={lines}', f'--unit={unit}']).output.splitlines()

    def times(self, unit: str, pattern: str, since: datetime | None) -> list[datetime]:
        """Returns the times at which a unit logged lines that match a regular expression, optionally only those after `since`."""
        search = [f'--grep={pattern}', f'--since=@{since.timestamp() if since else 0:.0f}', '--output=json', '--no-pager']
        # Exit status 1: no line matches.
        lines = self.processes.run(['journalctl', f'--unit={unit}', *search]).output.splitlines()
        microseconds = [int(json.loads(line)['__REALTIME_TIMESTAMP']) for line in lines if line.startswith('{')]
        return [datetime.fromtimestamp(one // 1_000_000, UTC) for one in microseconds]
