"""The states of units: the verb `units`."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import cli
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.settings import Settings
from map_app.unit_states import UnitStates, Wanted, missing
from map_app.units import Units

from .stand_ins import RecordedProcesses

Output = pytest.CaptureFixture[str]


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
        (True, 'started', found(active='activating'), []),
        (False, 'stopped', MISSING, []),
        (False, 'stopped', found(active='activating'), ['disable', 'stop']),
        (False, 'stopped', found(active='failed', file='disabled'), []),
        (None, None, found(active='failed', file='disabled'), []),
    ],
)
def test_changes_only_what_differs(enabled: bool | None, state: str | None, seen: dict[str, str], expected: list[str]) -> None:
    assert missing(Wanted('a.service', enabled, state), {'a.service': seen}) == expected


def test_rejects_the_alias_of_a_unit() -> None:
    with pytest.raises(Failure, match=r'sshd\.service is not the full name of a unit'):
        missing(Wanted('sshd.service', state='started'), {'ssh.service': found()})


class Systemd(RecordedProcesses):
    """A running unit a.service that started in 2020, and a stopped one b.service."""

    def __init__(self, starts: int = 0) -> None:
        times = 'ExecMainStartTimestamp=Thu 2020-01-01 00:00:00.000000 UTC\nActiveEnterTimestamp=\n'
        blocks = (
            f'Id=a.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n{times}',
            'Id=b.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nExecMainStartTimestamp=\nActiveEnterTimestamp=\n',
        )
        super().__init__(
            {
                'systemctl show': Ended(0, '\n'.join(blocks)),
                'systemctl show --timestamp=us+utc --property=UnitsLoadTimestamp': Ended(0, 'Fri 2021-01-01 00:00:00.000000 UTC\n'),
                'systemctl start': Ended(starts),
                'journalctl': Ended(0, 'no such file'),
            }
        )

    def done(self) -> list[str]:
        """Returns the commands that change something."""
        return [text for text in self.texts if ' show ' not in text]


def bring(systemd: Systemd, *wanted: Wanted, check: bool = False, pending: list[str] | None = None) -> Any:
    return UnitStates(Units(systemd), check, pending or []).bring(wanted)


LOADED = 1609459200.0


@pytest.fixture(autouse=True)
def unit_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of unit files that was written one second before systemd read it."""
    folder = tmp_path / 'units'
    drop_in = folder / 'a.service.d' / 'limits.conf'
    drop_in.parent.mkdir(parents=True)
    drop_in.touch()
    for path in (drop_in, drop_in.parent, folder):
        os.utime(path, (0, LOADED - 1))
    monkeypatch.setattr('map_app.units.UNIT_FILES', str(folder))
    return folder


def test_does_not_reload_systemd_if_no_unit_file_was_written(unit_files: Path) -> None:
    systemd = Systemd()
    bring(systemd, Wanted('a.service', True, 'started'))
    assert systemd.done() == []


@pytest.mark.parametrize('written', ['', 'a.service.d', 'a.service.d/limits.conf'])
def test_reloads_systemd_once_a_unit_file_was_written_or_removed(unit_files: Path, written: str) -> None:
    os.utime(unit_files / written, (0, LOADED + 1))
    systemd = Systemd()
    bring(systemd, Wanted('a.service', True, 'started'))
    assert systemd.done() == ['systemctl daemon-reload']


def test_runs_the_commands_in_the_given_order() -> None:
    systemd = Systemd()
    changes = bring(systemd, Wanted('b.service', True, 'started'), Wanted('a.service', False, 'stopped'))
    assert changes.commands == ['enable b.service', 'start b.service', 'disable a.service', 'stop a.service']
    assert systemd.done() == [
        'systemctl enable --quiet b.service',
        'systemctl start b.service',
        'systemctl disable --quiet a.service',
        'systemctl stop --quiet a.service',
    ]


def test_changes_nothing_in_a_check(unit_files: Path) -> None:
    os.utime(unit_files)
    systemd = Systemd()
    assert bring(systemd, Wanted('b.service', True, 'started'), check=True).commands == ['enable b.service', 'start b.service']
    assert systemd.done() == []


def test_a_unit_that_does_not_start_fails_with_its_journal() -> None:
    with pytest.raises(Failure, match=r'b\.service does not start\. Its journal ends with:\nno such file'):
        bring(Systemd(starts=1), Wanted('b.service', state='started'))


@pytest.mark.parametrize(
    ('stale', 'commands'),
    [('reported', []), ('restarted', ['systemctl restart a.service']), ('stopped', ['systemctl stop --quiet a.service'])],
)
def test_a_unit_older_than_its_files_is_reported_restarted_or_stopped(tmp_path: Path, stale: str, commands: list[str]) -> None:
    systemd = Systemd()
    changes = bring(systemd, Wanted('a.service', reads=[str(tmp_path)], stale=stale))
    assert list(changes.stale) == ['a.service']
    assert systemd.done() == commands


def test_a_reload_counts_as_a_start(tmp_path: Path) -> None:
    since = tmp_path / 'reloaded'
    since.touch()
    changes = bring(Systemd(), Wanted('a.service', reads=[str(tmp_path / 'none'), str(since)], since=str(since)))
    assert (changes.stale, changes.unread) == ({}, {})


def test_a_unit_for_which_a_reload_is_enough_is_unread(tmp_path: Path) -> None:
    reads = [str(tmp_path)]
    changes = bring(Systemd(), Wanted('a.service', reads=reads, since=str(tmp_path / 'none')))
    assert (list(changes.stale), list(changes.unread)) == ([], ['a.service'])
    # The same unit may also have files that it reads only when it starts.
    changes = bring(Systemd(), Wanted('a.service', reads=reads), Wanted('a.service', reads=['/none'], since='/none'))
    assert (list(changes.stale), list(changes.unread)) == (['a.service'], [])


@pytest.mark.parametrize(
    ('pending', 'stale'),
    [
        (['/etc/a.conf'], ['a.service']),
        (['/etc/a.d/x.conf'], ['a.service']),
        (['/etc/a.d-other/x.conf'], []),
        ([], []),
    ],
)
def test_a_check_counts_files_that_were_not_written(pending: list[str], stale: list[str]) -> None:
    wanted = Wanted('a.service', reads=['/etc/a.conf', '/etc/a.d'])
    assert list(bring(Systemd(), wanted, check=True, pending=pending).stale) == stale
    assert bring(Systemd(), wanted, pending=pending).stale == {}


def units(text: str, *options: str) -> int:
    with (
        mock.patch('map_app.settings.read', return_value=Settings({})),
        mock.patch('os.geteuid', return_value=0),
        mock.patch('sys.stdin', io.StringIO(text)),
    ):
        return cli.main(['units', *options], Systemd())


def test_the_verb_prints_what_it_did(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / 'file'
    file.touch()
    assert file.stat().st_mtime > time.time() - 60
    wanted = {'units': [{'name': 'b.service', 'state': 'started'}, {'name': 'a.service', 'reads': [str(file)]}]}
    assert units(json.dumps(wanted), '--json') == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed['changed'], printed['commands'], list(printed['stale'])) == (True, ['start b.service'], ['a.service'])
    assert units('{"units": [{"name": "a.service", "state": "started"}]}') == 0
    assert capsys.readouterr().out == 'All units are in their wanted states, and none is older than its files.\n'


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('', 'not a JSON object'),
        ('[]', 'not a JSON object'),
        ('{}', 'not a JSON object'),
        ('{"units": [{"names": "a"}]}', 'The input has a unit with unknown fields'),
        ('{"units": [{"name": "a", "state": "on"}]}', 'The unit a on the input is invalid'),
        ('{"units": [{"name": "a", "stale": "on"}]}', 'The unit a on the input is invalid'),
    ],
)
def test_the_verb_rejects_an_invalid_input(text: str, fault: str, capsys: Output) -> None:
    assert units(text) == 1
    assert fault in capsys.readouterr().err
