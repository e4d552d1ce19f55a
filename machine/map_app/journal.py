"""Reads systemd's journal. No other module of the package does."""

from __future__ import annotations

from collections.abc import Sequence

from .processes import Processes


def command(units: Sequence[str]) -> str:
    """Returns the command with which an operator reads the journal of units."""
    return ' '.join(['journalctl', *(f"--unit='{unit}'" if '*' in unit else f'--unit={unit}' for unit in units)])


class Journal:
    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def print(self, units: Sequence[str], lines: int, follow: bool) -> int:
        """Prints the last lines of units, and with `follow` also what they write from then on. journalctl escapes control characters."""
        options = ['--no-pager', '--no-hostname', f'--lines={lines}', *(['--follow'] if follow else [])]
        return self.processes.attach(['journalctl', *options, *(f'--unit={unit}' for unit in units)])
