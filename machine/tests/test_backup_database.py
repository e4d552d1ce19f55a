"""How the superuser's SQL and the files of postgres are protected from other roles and users."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from map_app.backups.database import Database
from map_app.backups.folders import Folders
from map_app.processes import Ended, Processes

from .stand_ins import RecordedProcesses


def test_names_are_resolved_only_in_the_system_catalog_and_locks_are_awaited_for_a_limited_time() -> None:
    processes = RecordedProcesses({'psql': Ended(0, 'a\t1\nb\t2\n')})
    assert Database(processes, 'map-app').ask('SELECT 1') == [['a', '1'], ['b', '2']]
    assert processes.environment['PGOPTIONS'] == '-c search_path=pg_catalog -c lock_timeout=30s'
    assert processes.input == 'SELECT 1'


@pytest.mark.parametrize(('ended', 'holds'), [(Ended(0, 't\n'), True), (Ended(0, 'f\n'), False), (Ended(2), False)])
def test_a_condition_holds_only_if_the_server_says_so(ended: Ended, holds: bool) -> None:
    assert Database(RecordedProcesses({'psql': ended}), 'map-app').holds('pg_is_in_recovery()') is holds


def test_only_postgres_can_read_a_file_that_is_written() -> None:
    processes = mock.Mock(spec=Processes)
    Folders(processes).write(Path('/cluster/secret'), b'secret')
    [command, content] = processes.convert.call_args.args
    assert (command[-1], content) == ('/cluster/secret', b'secret')
    assert processes.convert.call_args.kwargs == {'user': 'postgres', 'umask': 0o077}
