"""The module that brings units to their state."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.modules import machine_units


def found(load: str = 'loaded', active: str = 'active', file: str = 'enabled') -> dict[str, str]:
    return {'LoadState': load, 'ActiveState': active, 'UnitFileState': file}


MISSING = found('not-found', 'inactive', '')


@pytest.mark.parametrize(
    ('enabled', 'state', 'seen', 'expected'),
    [
        (True, 'started', found(), []),
        (None, 'started', found(file='disabled'), []),
        (True, 'started', found(active='failed', file='disabled'), ['enable', 'start']),
        (True, 'started', found('masked', 'inactive', 'masked'), ['unmask', 'enable', 'start']),
        (True, 'started', found(file='static'), []),
        (True, 'started', MISSING, ['enable', 'start']),
        (False, 'stopped', MISSING, []),
        (False, 'stopped', found(active='activating'), ['disable', 'stop']),
        (False, 'stopped', found(active='failed', file='disabled'), []),
        (True, 'restarted', found(), ['restart']),
    ],
)
def test_changes_only_what_differs(enabled: bool | None, state: str, seen: dict[str, str], expected: list[str]) -> None:
    unit: dict[str, Any] = {'name': 'a.service', 'enabled': enabled, 'state': state}
    assert machine_units.commands(unit, seen) == expected


class Module:
    """Stands in for AnsibleModule: systemd's answer to `show`, and the commands that were run."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.commands: list[list[str]] = []

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        return 0, self.answer if 'show' in command else '', ''


@pytest.mark.parametrize(('answer', 'reloads'), [('no\n\nno\n', 0), ('no\n\nyes\n', 1)])
def test_reloads_systemd_only_if_a_unit_file_was_written(answer: str, reloads: int) -> None:
    module = Module(answer)
    machine_units.Systemd(module).reload()
    assert module.commands.count(['systemctl', 'daemon-reload']) == reloads


def test_reads_the_files_of_units_that_do_not_run() -> None:
    module = Module('no')
    machine_units.Systemd(module).reload()
    assert '--all' in module.commands[0]
