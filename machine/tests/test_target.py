"""The targets of a restore, and those that it rejects."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app.backups import target
from map_app.backups.repository import explain
from map_app.backups.site import Site
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import BACKUP, RecordedProcesses

FIRST, SECOND = datetime(2026, 11, 25, 1, 30, tzinfo=UTC), datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def info(*ends: tuple[str, datetime], version: str = '17', **changes: Any) -> Ended:
    """What pgBackRest prints of backups: the label and the end of each."""
    stanza = {
        'repo': [{'status': {'code': 0, 'message': 'ok'}}],
        'db': [{'id': 1, 'system-id': 7, 'version': version}],
        'backup': [
            {'label': label, 'timestamp': {'stop': end.timestamp()}, 'info': {'size': 100}, 'database': {'id': 1}, 'error': label == 'broken'}
            for label, end in ends
        ],
        **changes,
    }
    return Ended(0, json.dumps([stanza]))


BOTH = info(('20261125-013000F', FIRST), ('20261126-013000F', SECOND))


def site(tmp_path: Path, pgbackrest: Ended = BOTH, journal: str = '') -> Site:
    processes = RecordedProcesses({'pgbackrest': pgbackrest, 'journalctl': Ended(0, journal)})
    return Site(Settings({'backup': {**BACKUP, 'state': str(tmp_path)}}), processes, Units(processes))


@pytest.fixture(autouse=True)
def clock() -> Any:
    with mock.patch('map_app.backups.state.now', return_value=NOW), mock.patch('map_app.backups.target.need_space'):
        yield


def test_latest_includes_all_wal_after_the_newest_backup(tmp_path: Path) -> None:
    found = target.find(site(tmp_path), 'latest')
    assert (found.backup.label, found.since) == ('20261126-013000F', None)
    assert found.options == ['--set=20261126-013000F', '--target-timeline=current']


def test_a_label_is_that_backup_without_later_wal(tmp_path: Path) -> None:
    found = target.find(site(tmp_path), '20261125-013000F')
    assert (found.backup.label, found.since) == ('20261125-013000F', FIRST)
    assert '--type=immediate' in found.options


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv('TZ', 'America/Los_Angeles')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures('far_from_utc')
@pytest.mark.parametrize('words', ['2026-11-26T01:00:00+00:00', '2026-11-26T01:00', '2026-11-26T02:00:00+01:00'])
def test_a_time_starts_from_the_last_backup_before_it(tmp_path: Path, words: str) -> None:
    found = target.find(site(tmp_path), words)
    assert found.backup.label == '20261125-013000F'
    assert found.since == datetime(2026, 11, 26, 1, tzinfo=UTC)


def test_undo_is_the_time_of_the_last_restore(tmp_path: Path) -> None:
    here = site(tmp_path)
    here.state.write('restored', {'at': '2026-11-26T10:00:00+00:00', 'to': 'backup X'})
    found = target.find(here, 'undo')
    assert found.words == 'the state before the restore of 2026-11-26T10:00:00+00:00 to backup X'
    assert '--target=2026-11-26 10:00:00+00:00' in found.options


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ('yesterday', r"'yesterday' is neither .* nor a backup in the repository \(20261125-013000F, 20261126-013000F\)"),
        ('2026-11-26T13:00', 'is in the future'),
        ('2026-11-24', 'The oldest backup ended at 2026-11-25T01:30:00.*cannot be restored'),
        ('undo', 'There is no restore to undo on this machine'),
    ],
)
def test_rejects_a_missing_target(tmp_path: Path, words: str, sentence: str) -> None:
    with pytest.raises(Failure, match=sentence):
        target.find(site(tmp_path), words)


def test_rejects_an_empty_repository(tmp_path: Path) -> None:
    with pytest.raises(Failure, match='contains no backup'):
        target.find(site(tmp_path, info()), 'latest')


def test_rejects_a_backup_of_another_postgresql(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r'was taken by PostgreSQL 15, and this machine has PostgreSQL 17.*\(map-app backups dump 20261126-013000F'):
        target.find(site(tmp_path, info(('20261126-013000F', SECOND), version='15')), 'latest')


def test_skips_a_failed_backup(tmp_path: Path) -> None:
    found = target.find(site(tmp_path, info(('20261125-013000F', FIRST), ('broken', SECOND))), 'latest')
    assert found.backup.label == '20261125-013000F'


def dropped(moment: datetime) -> str:
    return json.dumps({'__REALTIME_TIMESTAMP': str(int(moment.timestamp() * 1_000_000))})


def test_rejects_a_target_after_dropped_wal(tmp_path: Path) -> None:
    gap = dropped(SECOND + timedelta(hours=1))
    for words in ('latest', '2026-11-26T03:00'):
        with pytest.raises(Failure, match=r'was dropped from 2026-11-26T02:30:00.*take a backup first'):
            target.find(site(tmp_path, journal=gap), words)
    assert target.find(site(tmp_path, journal=gap), '2026-11-26T02:00').backup.label == '20261126-013000F'


class TestPlan:
    def test_counts_the_lost_rows(self, tmp_path: Path) -> None:
        here = site(tmp_path)
        archive = json.dumps({'last': '2026-11-26T11:59:00+00:00', 'failed': None})
        answers = {'--command=SELECT true': Ended(0, 't'), 'pg_stat_archiver': Ended(0, archive), 'string_agg': Ended(0, 'pin\t2\nanswer\t0\nquestion\t1\n')}
        with mock.patch.object(here.processes, 'run', lambda command, **given: answer(here, answers, command, given)):
            planned = target.plan(here, '2026-11-26T03:00')
        assert planned.lost == {'pin': 2, 'question': 1}
        assert planned.question() == (
            'The database will be restored to the state at 2026-11-26T03:00:00+00:00 (from backup 20261126-013000F). '
            'Data that will be lost: 2 rows of pin, 1 row of question.'
        )

    def test_reports_that_postgresql_does_not_respond(self, tmp_path: Path) -> None:
        here = site(tmp_path)
        with mock.patch.object(here.processes, 'run', lambda command, **given: answer(here, {'psql': Ended(2)}, command, given)):
            planned = target.plan(here, 'latest')
        assert planned.lost is None
        assert 'cannot be counted because PostgreSQL is not running' in planned.question()

    def test_latest_loses_writes_that_were_not_archived(self, tmp_path: Path) -> None:
        here = site(tmp_path)
        archive = json.dumps({'last': '2026-11-26T11:00:00+00:00', 'failed': '2026-11-26T11:30:00+00:00'})
        asked: list[str] = []
        answers = {'--command=SELECT true': Ended(0, 't'), 'pg_stat_archiver': Ended(0, archive), 'string_agg': Ended(0, 'pin\t1\n')}

        def run(command: list[str], **given: Any) -> Ended:
            asked.append(given.get('text', ''))
            return answer(here, answers, command, given)

        with mock.patch.object(here.processes, 'run', run):
            assert target.plan(here, 'latest').lost == {'pin': 1}
        assert any('2026-11-26T11:00:00+00:00' in sql for sql in asked)


def answer(here: Site, answers: dict[str, Ended], command: list[str], given: dict[str, Any]) -> Ended:
    text = ' '.join(command) + given.get('text', '')
    if command[0] == 'psql':
        return next((ended for part, ended in answers.items() if part in text), Ended(0))
    return BOTH if command[0] == 'pgbackrest' else Ended(0)


@pytest.mark.parametrize(
    ('complaint', 'command', 'sentence'),
    [
        ('P00  ERROR: [095]: CryptoError: bad', 'info', r'backup_cipher_pass does not decrypt'),
        ('P00  ERROR: [082]: WAL segment was not archived before the 60000ms timeout', 'backup', r'The repository is full, or PostgreSQL cannot'),
        ('P00  ERROR: [049]: timeout connecting to backups', 'info', r'^The repository cannot be reached: timeout connecting to backups$'),
        ('ERROR: [041]: No space left on device\nmore', 'restore', r'^pgBackRest: No space left on device$'),
        ('', 'backup', 'pgBackRest: backup failed and printed no error'),
    ],
)
def test_explains_errors_of_pgbackrest(complaint: str, command: str, sentence: str) -> None:
    with pytest.raises(Failure, match=sentence):
        raise Failure(explain(complaint, command))
