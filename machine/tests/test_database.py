"""How psql is run, and what is read from the database."""

from __future__ import annotations

from pathlib import Path

import pytest
from map_app.database import Database, without_password
from map_app.errors import Failure
from map_app.processes import Ended

from .stand_ins import RecordedProcesses, Replaced, settings

ADDRESS = 'postgresql:///map-app?host=/run/postgresql'


def database(tmp_path: Path, processes: RecordedProcesses, address: str = ADDRESS, here: bool = True) -> Database:
    (tmp_path / 'DATABASE_URL').write_text(address + '\n')
    return Database(settings(credentials_folder=str(tmp_path), database_is_here=here).app(), processes)


def test_the_shell_runs_psql_as_the_user_of_the_api(tmp_path: Path) -> None:
    processes = RecordedProcesses()
    with pytest.raises(Replaced):
        database(tmp_path, processes).shell(['--command=select 1'])
    assert processes.commands == [['runuser', '--user=map-app', '--', 'psql', f'--dbname={ADDRESS}', '--command=select 1']]
    assert processes.environment['PSQL_HISTORY'] == '/dev/null'


def test_a_database_on_another_machine_is_rejected(tmp_path: Path) -> None:
    processes = RecordedProcesses()
    with pytest.raises(Failure, match='not on this machine'):
        database(tmp_path, processes, here=False).shell([])
    assert processes.commands == []


def test_a_password_is_passed_in_the_environment(tmp_path: Path) -> None:
    processes = RecordedProcesses()
    with pytest.raises(Replaced):
        database(tmp_path, processes, 'postgresql:///map-app?host=/run/postgresql&password=geheim').shell([])
    assert 'geheim' not in ' '.join(processes.texts)
    assert processes.environment['PGPASSWORD'] == 'geheim'


@pytest.mark.parametrize(
    ('address', 'expected'),
    [
        (ADDRESS, (ADDRESS, None)),
        ('postgresql://map-app:p%40ss@db.example/map-app', ('postgresql://map-app@db.example/map-app', 'p@ss')),
        ('postgresql://map-app@/map-app?host=/run/postgresql&password=', ('postgresql://map-app@/map-app?host=/run/postgresql', '')),
    ],
)
def test_a_password_is_removed_from_a_url(address: str, expected: tuple[str, str | None]) -> None:
    assert without_password(address) == expected


def test_visitors_are_counted_by_day(tmp_path: Path) -> None:
    output = '[{"day" : "2026-11-26", "pins" : 3}, \n {"day" : "2026-11-25", "pins" : 0}]\t41\n'
    processes = RecordedProcesses({'runuser': Ended(0, output)})
    assert database(tmp_path, processes).visitors(2) == ([('2026-11-26', 3), ('2026-11-25', 0)], 41)
    assert 'generate_series(0, 2 - 1)' in processes.input


def test_a_stopped_database_is_a_failure_with_the_message_of_psql(tmp_path: Path) -> None:
    processes = RecordedProcesses({'runuser': Ended(2, errors='psql: error: connection refused\n')})
    with pytest.raises(Failure, match='could not be read: psql: error: connection refused'):
        database(tmp_path, processes).visitors(7)
