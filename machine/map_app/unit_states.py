"""Brings systemd units to their states: enabled, running, and not older than the files that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import Failure
from .units import RUNNING, Properties, Units, newest

ENABLED = ('enabled', 'static', 'indirect', 'generated', 'alias')
STATES = (None, 'started', 'stopped')
# What happens to a unit that is older than its files.
REMEDIES = ('reported', 'restarted', 'stopped')


@dataclass(frozen=True)
class Wanted:
    """The wanted state of a unit."""

    # The full name of the unit.
    name: str
    # Whether the unit starts at boot. None: this is not changed.
    enabled: bool | None = None
    state: str | None = None
    # The files that the unit reads when it starts. For a folder everything in it counts.
    reads: Sequence[str] = ()
    # A file that is touched when the unit reads its files again without a restart.
    since: str | None = None
    stale: str = 'reported'


@dataclass
class Changes:
    """What was done, or would be: one command for each change, and one sentence for each unit that is older than its files."""

    commands: list[str] = field(default_factory=list)
    stale: dict[str, str] = field(default_factory=dict)
    # Those for which a reload is enough.
    unread: dict[str, str] = field(default_factory=dict)


def parse(entries: Any) -> list[Wanted]:
    """Returns the wanted states in a parsed JSON list. Throws a Failure if one is invalid."""
    try:
        units = [Wanted(**entry) for entry in entries]
    except TypeError:
        raise Failure('The input has a unit with unknown fields or without a name. map-app units --help lists the fields.') from None
    for unit in units:
        if unit.state not in STATES or unit.stale not in REMEDIES:
            raise Failure(f'The unit {unit.name} on the input is invalid: "state" is started or stopped, "stale" reported, restarted or stopped.')
    return units


class UnitStates:
    """@param pending: in check mode, the files that this run would write. They count as newer than each running unit."""

    def __init__(self, units: Units, check: bool, pending: Sequence[str] = ()) -> None:
        self.units = units
        self.check = check
        self.pending = pending if check else ()

    def bring(self, wanted: Sequence[Wanted]) -> Changes:
        """Brings the units to their states in the given order, after systemd has read their files. Throws if a unit does not start."""
        if not self.check:
            self.units.read_files()
        changes = Changes()
        names = [unit.name for unit in wanted if unit.enabled is not None or unit.state]
        found = self.units.show(names, 'LoadState', 'ActiveState', 'UnitFileState') if names else {}
        for unit in wanted:
            commands = missing(unit, found) if unit.name in names else []
            stale = self.stale(unit)
            (changes.unread if unit.since else changes.stale).update(stale)
            if stale and unit.stale != 'reported':
                commands.append('restart' if unit.stale == 'restarted' else 'stop')
            for command in commands:
                changes.commands.append(f'{command} {unit.name}')
                if not self.check:
                    self.units.change(command, unit.name)
        return changes

    def stale(self, unit: Wanted) -> dict[str, str]:
        if not unit.reads:
            return {}
        reloaded = newest([unit.since] if unit.since else [])[0]
        found = self.units.stale([unit.name], unit.reads, reloaded)
        written = [path for path in self.pending if any(path == read or path.startswith(f'{read}/') for read in unit.reads)]
        expected = {name: f'{name} would be older than {written[0]}' for name in self.units.running([unit.name])} if written else {}
        return {**expected, **found}


def missing(wanted: Wanted, units: Mapping[str, Properties]) -> list[str]:
    """Returns the commands of systemctl that bring a unit to its state."""
    if wanted.name not in units:
        raise Failure(f'{wanted.name} is not the full name of a unit. Replace it with the one that systemctl show --property=Id {wanted.name} prints.')
    found = units[wanted.name]
    active = found['ActiveState']
    commands = []
    if wanted.enabled and found['LoadState'] == 'masked':
        commands.append('unmask')
    if wanted.enabled and found['UnitFileState'] not in ENABLED:
        commands.append('enable')
    if wanted.enabled is False and found['UnitFileState'] in ('enabled', 'enabled-runtime'):
        commands.append('disable')
    if wanted.state == 'started' and active not in (*RUNNING, 'activating'):
        commands.append('start')
    if wanted.state == 'stopped' and active not in ('inactive', 'failed'):
        commands.append('stop')
    return commands
