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
