"""Repairing deviations of PostgreSQL."""

from __future__ import annotations

import io
import json
from unittest import mock

import pytest
from map_app.cli import main
from map_app.errors import Failure
from map_app.mend import Comparison, Mend
from map_app.processes import Ended

from .stand_ins import RecordedProcesses

COMPARISON = 'SELECT …;'


class Server(RecordedProcesses):
    """A PostgreSQL that returns these rows to each comparison in turn, and runs all statements but those that fail."""

    def __init__(self, *rows: list[str], failing: str = '') -> None:
        super().__init__()
        self.rows = list(rows)
        self.failing = failing
        self.ran: list[str] = []

    def run(self, command, *, user=None, text='', environment=None):  # type: ignore[no-untyped-def]
        super().run(command, user=user, text=text, environment=environment)
        assert user == 'postgres'
        assert environment == {'PGOPTIONS': '-c search_path=pg_catalog'}
        if text == COMPARISON:
            return Ended(0, ''.join(f'{row}\n' for row in self.rows.pop(0)))
        self.ran.append(text)
        return Ended(3, errors=self.failing) if self.failing else Ended(0)


def mend(server: Server, check: bool = False) -> Comparison:
    return Mend(server, COMPARISON, 5432).run(check)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('shutil.which', lambda _: '/usr/bin/psql')


def test_runs_exactly_the_statements_that_the_comparison_returns_and_compares_again() -> None:
    server = Server(['CREATE ROLE a', '', 'CREATE DATABASE a', '-- restart for b'], ['-- restart for c'])
    assert mend(server) == Comparison(['CREATE ROLE a', 'CREATE DATABASE a'], ['-- restart for c'])
    assert server.ran == ['CREATE ROLE a;\nCREATE DATABASE a;\n']


def test_runs_nothing_if_nothing_deviates() -> None:
    server = Server([])
    assert mend(server) == Comparison()
    assert server.ran == []


def test_a_check_compares_and_runs_nothing() -> None:
    server = Server(['CREATE ROLE a', '-- restart for b'])
    assert mend(server, check=True) == Comparison(['CREATE ROLE a'], ['-- restart for b'])
    assert server.ran == []


def test_a_check_of_a_machine_without_postgresql_predicts_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('shutil.which', lambda _: None)
    assert mend(Server(), check=True).remarks == ['-- PostgreSQL is not installed yet']


def test_fails_with_the_message_of_psql() -> None:
    with pytest.raises(Failure, match='role "a" cannot be dropped'):
        mend(Server(['DROP ROLE a'], failing='ERROR:  role "a" cannot be dropped\n'))


def test_fails_if_a_statement_does_not_repair_its_deviation() -> None:
    with pytest.raises(Failure, match='still needed: ALTER SYSTEM b') as failure:
        mend(Server(['ALTER SYSTEM a', 'ALTER SYSTEM b'], ['ALTER SYSTEM b']))
    assert failure.value.changed


def test_the_verb_reads_its_input_and_prints_a_diff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr('os.geteuid', lambda: 0)
    with mock.patch('sys.stdin', io.StringIO(COMPARISON)):
        assert main(['mend', '--port=5433', '--json'], server := Server(['A'], [])) == 0
    assert '--port=5433' in server.texts[0]
    assert json.loads(capsys.readouterr().out) == {
        'changed': True,
        'message': 'A',
        'statements': ['A'],
        'remarks': [],
        'diff': {'before': '', 'after': 'A\n'},
    }
