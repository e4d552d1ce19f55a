"""The verbs for backups, the records of backups and drills, and the problems that `status` reports."""

from __future__ import annotations

import itertools
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
from map_app import cli
from map_app.backups import drill, rebuild, status, take
from map_app.backups.rebuild import Outcome
from map_app.backups.site import Site, need_space
from map_app.backups.state import State
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import BACKUP, RecordedProcesses
from .waiting import until_printed

Output = pytest.CaptureFixture[str]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RECORD = {'label': '20261126-013000F', 'kind': 'full', 'bytes': 100, 'rows': 5, 'seconds': 1.5, 'tables': 2}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    processes = RecordedProcesses()
    return Site(Settings({'backup': {**BACKUP, 'state': str(tmp_path)}}), processes, Units(processes))


class TestVerbs:
    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Any:
        found = Settings({'backup': {**BACKUP, 'state': str(tmp_path)}})
        with mock.patch('map_app.settings.read', return_value=found), mock.patch('os.geteuid', return_value=0):
            yield

    def run(self, *arguments: str) -> int:
        return cli.main(arguments, RecordedProcesses())

    def test_backup_prints_its_result(self, capsys: Output) -> None:
        with mock.patch.object(take, 'take', return_value=RECORD) as taken:
            assert self.run('backup', '--full', '--json') == 0
        assert taken.call_args.args[1] == 'full'
        printed = json.loads(capsys.readouterr().out)
        assert printed == {
            'changed': True,
            'message': 'Took backup 20261126-013000F of 5 rows in 1.5 s.',
            **{name: RECORD[name] for name in ('label', 'kind', 'bytes', 'rows', 'seconds')},
        }

    def test_backup_is_differential_by_default(self) -> None:
        with mock.patch.object(take, 'take', return_value=RECORD) as taken:
            self.run('backup')
        assert taken.call_args.args[1] == 'diff'

    @pytest.mark.parametrize('done', [True, False])
    def test_backup_if_missing(self, done: bool, capsys: Output) -> None:
        with mock.patch.object(take, 'is_done', return_value=done), mock.patch.object(take, 'take', return_value=RECORD) as taken:
            self.run('backup', '--if-missing', '--check', '--json')
            assert json.loads(capsys.readouterr().out)['changed'] is not done
            taken.assert_not_called()
            self.run('backup', '--if-missing', '--json')
        assert json.loads(capsys.readouterr().out)['changed'] is not done
        assert taken.called is not done

    def test_a_failure_is_printed_as_json(self, capsys: Output) -> None:
        with mock.patch.object(take, 'take', side_effect=Failure('The repository is full.')):
            assert self.run('backup', '--json') == 1
        printed = capsys.readouterr()
        assert json.loads(printed.out) == {'changed': False, 'failed': True, 'message': 'The repository is full.'}
        assert printed.err == 'map-app backup: The repository is full.\n'

    def test_a_restore_reports_a_change_if_the_backup_after_it_fails(self, capsys: Output) -> None:
        with (
            mock.patch('map_app.backups.verbs.restore', return_value='the latest state'),
            mock.patch.object(take, 'take', side_effect=Failure('full')),
        ):
            assert self.run('restore', 'latest', '--yes', '--json') == 1
        printed = json.loads(capsys.readouterr().out)
        assert (printed['changed'], printed['failed']) == (True, True)
        assert printed['message'].startswith('Restored the latest state. But the backup after it failed')

    def test_restore_does_nothing_without_a_confirmation(self, capsys: Output) -> None:
        planned = mock.Mock(question=lambda: 'The database goes back.')
        for terminal, said in ((True, 'no\n'), (True, ''), (False, 'yes\n')):
            with (
                mock.patch('map_app.backups.verbs.plan', return_value=planned),
                mock.patch('map_app.backups.verbs.restore') as restored,
                mock.patch('sys.stdin', mock.Mock(isatty=lambda terminal=terminal: terminal, readline=lambda said=said: said)),
            ):
                assert self.run('restore', 'latest') == 1
            restored.assert_not_called()
            assert 'Nothing was restored, because' in capsys.readouterr().err

    def test_restore_continues_after_a_confirmation(self) -> None:
        with (
            mock.patch('map_app.backups.verbs.plan', return_value=mock.Mock(question=lambda: 'The database goes back.')),
            mock.patch('map_app.backups.verbs.restore', return_value='it') as restored,
            mock.patch.object(take, 'take', return_value=RECORD),
            mock.patch('sys.stdin', mock.Mock(isatty=lambda: True, readline=lambda: 'yes\n')),
        ):
            assert self.run('restore', 'latest') == 0
        restored.assert_called_once()

    def test_drill_changes_nothing(self, capsys: Output) -> None:
        with mock.patch('map_app.backups.verbs.drill', return_value=RECORD):
            assert self.run('drill', '--json') == 0
        assert json.loads(capsys.readouterr().out)['changed'] is False

    @pytest.mark.parametrize('verb', ['prepare', 'rebuild'])
    def test_verbs_of_site_yml_print_their_result_and_pass_check_on(self, verb: str, capsys: Output) -> None:
        with mock.patch.object(rebuild, verb, return_value=Outcome(True, 'Done.')) as work:
            assert self.run('backups', verb, '--json') == 0
            assert self.run('backups', verb, '--check') == 0
        assert [call.kwargs for call in work.call_args_list] == [{'check': False}, {'check': True}]
        assert capsys.readouterr().out == '{"changed": true, "message": "Done."}\nDone.\n'

    def test_status_exits_with_1_if_there_is_a_problem(self, capsys: Output) -> None:
        for problems, expected in (([], 0), (['There is no backup yet.'], 1)):
            with mock.patch('map_app.backups.verbs.status', return_value={'problems': problems}):
                assert self.run('backups', 'status', '--json') == expected
            assert json.loads(capsys.readouterr().out) == {'problems': problems}

    @pytest.mark.parametrize('arguments', [['restore'], ['backups', 'dump'], ['backups', 'run', 'all'], ['backups', 'nothing'], ['backup', 'full']])
    def test_invalid_arguments_exit_with_2(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            self.run(*arguments)
        assert ended.value.code == 2

    def test_a_machine_without_the_database_is_rejected(self, capsys: Output) -> None:
        with mock.patch('map_app.settings.read', return_value=Settings({})):
            assert self.run('backups') == 1
        assert 'Backups are not configured on this machine' in capsys.readouterr().err


class TestRecord:
    def test_a_failure_is_recorded_and_keeps_the_last_good_time(self, tmp_path: Path) -> None:
        state = State(tmp_path)
        good = state.recorded('backup', lambda: {'label': 'A'})
        with pytest.raises(Failure):
            state.recorded('backup', mock.Mock(side_effect=Failure('full')))
        record = state.read('backup')
        assert (record['ok'], record['error'], record['last_good']) == (False, 'full', good['at'])
        assert 'label' not in record

    def test_an_unexpected_error_is_recorded_with_its_kind(self, tmp_path: Path) -> None:
        state = State(tmp_path)
        with pytest.raises(ZeroDivisionError):
            state.recorded('drill', lambda: {'x': 1 // 0})
        assert state.read('drill')['error'].startswith('ZeroDivisionError: ')

    def test_a_killed_backup_is_recorded_as_failed(self, tmp_path: Path) -> None:
        state = State(tmp_path)
        with pytest.raises(SystemExit):
            state.recorded('backup', mock.Mock(side_effect=SystemExit(1)))
        assert state.read('backup')['ok'] is False

    def test_the_lock_waits_for_its_holder_and_prints_a_message(self, tmp_path: Path, capsys: Output) -> None:
        order: list[str] = []
        with State(tmp_path).lock():
            other = threading.Thread(target=lambda: second(order))

            def second(order: list[str]) -> None:
                with State(tmp_path).lock():
                    order.append('second')

            other.start()
            printed = until_printed(lambda: capsys.readouterr().err)
            order.append('first')
        other.join()
        assert order == ['first', 'second']
        assert 'Waiting for another backup' in printed

    def test_the_lock_is_free_after_a_failure(self, tmp_path: Path, capsys: Output) -> None:
        with pytest.raises(Failure), State(tmp_path).lock():
            raise Failure('broken')
        with State(tmp_path).lock():
            pass
        assert capsys.readouterr().err == ''


class TestProblems:
    good: ClassVar[dict[str, Any]] = {'at': NOW.isoformat(), 'ok': True, 'error': None, 'last_good': NOW.isoformat()}
    archive: ClassVar[dict[str, Any]] = {'last': NOW.isoformat(), 'failed': None}

    def found(self, backup: dict[str, Any] | None = None, drill: dict[str, Any] | None = None, archive: dict[str, Any] | None = None) -> list[str]:
        with mock.patch('map_app.backups.state.now', return_value=NOW):
            records = [self.good if record is None else record for record in (backup, drill)]
            return list(status.problems(records[0], records[1], archive or self.archive, 'postgresql@17-main.service'))

    def test_no_problem(self) -> None:
        assert self.found() == []
        assert self.found(drill={}) == []

    def test_no_backup(self) -> None:
        assert self.found(backup={}) == ['There is no backup yet.']

    def test_a_backup_and_a_drill_have_failed(self) -> None:
        failed = {**self.good, 'ok': False, 'error': 'full'}
        assert self.found(backup=failed, drill=failed) == [f'The backup of {NOW.isoformat()} failed: full', f'The drill of {NOW.isoformat()} failed: full']

    @pytest.mark.parametrize(('name', 'hours'), [('backup', 48), ('drill', 15 * 24)])
    def test_an_old_backup_or_drill(self, name: str, hours: int) -> None:
        def aged(by: timedelta) -> dict[str, Any]:
            return {name: {**self.good, 'last_good': (NOW - by).isoformat()}}

        assert self.found(**aged(timedelta(hours=hours))) == []
        assert self.found(**aged(timedelta(hours=hours, seconds=1)))[0].startswith(f'The last good {name} started at')

    def test_failed_archiving(self) -> None:
        assert 'are not backed up, because WAL archiving has failed' in self.found(archive={'last': None, 'failed': NOW.isoformat()})[0]

    def test_archiving_that_failed_after_it_had_succeeded(self) -> None:
        last, failed = (NOW - timedelta(hours=2)).isoformat(), NOW.isoformat()
        assert self.found(archive={'last': last, 'failed': failed}) == [
            f'Writes since {last} are not backed up, because WAL archiving has failed, last at {failed}.'
        ]

    def test_only_pgbackrest_reports_dropped_wal(self, site: Site) -> None:
        assert status.dropped(site, None) is None
        entry = json.dumps({'__REALTIME_TIMESTAMP': str(int(NOW.timestamp()) * 1_000_000)})
        site.processes.answers = {'journalctl': Ended(0, entry)}  # type: ignore[attr-defined]
        assert status.dropped(site, None) == NOW
        [pattern] = [word.removeprefix('--grep=') for word in site.processes.commands[-1] if word.startswith('--grep=')]  # type: ignore[attr-defined]
        assert re.search(pattern, '2026-11-26 12:00:00.123 P00   WARN: dropped WAL file 000000010000000000000001')
        # A client can write this into PostgreSQL's journal.
        assert not re.search(pattern, '2026-11-26 12:00:00.123 UTC [9] ERROR:  column "P00   WARN: dropped WAL file" does not exist')

    def test_postgresql_does_not_respond(self, site: Site) -> None:
        site.processes.answers = {'psql': Ended(2), 'test': Ended(1)}  # type: ignore[attr-defined]
        assert f'PostgreSQL does not respond: see journalctl --unit={BACKUP["unit"]}.' in status.status(site)['problems']

    def test_an_interrupted_restore(self, site: Site) -> None:
        site.processes.answers = {'psql': Ended(2), 'test -e /var/lib/postgresql/17/map-app-restored': Ended(0)}  # type: ignore[attr-defined]
        assert status.status(site)['problems'][-1].startswith('A restore is running or was interrupted')


class TestRebuild:
    def answers(self, site: Site, cluster: int | None, tables: int = 0) -> None:
        database = {'id': 1, 'system-id': cluster, 'version': '17'}
        backup = {'label': 'A', 'timestamp': {'stop': 0}, 'info': {'size': 1}, 'database': {'id': 1}}
        stanza = {'repo': [{'status': {'code': 0}}], 'db': [database] if cluster else [], 'backup': [backup] if cluster else []}
        site.processes.answers = {'pgbackrest': Ended(0, json.dumps([stanza])), 'test': Ended(1)}  # type: ignore[attr-defined]
        self.patches = [mock.patch.object(rebuild, 'cluster', return_value=7), mock.patch.object(rebuild, 'restore', return_value='all')]
        self.patches += [mock.patch.object(type(site.database()), 'value', return_value=str(tables))]

    def run(self, work: Any) -> Any:
        with self.patches[0], self.patches[1] as restored, self.patches[2]:
            return work(), restored

    def test_a_new_repository_is_prepared_for_this_cluster(self, site: Site) -> None:
        self.answers(site, None)
        assert self.run(lambda: rebuild.prepare(site, check=True))[0] == Outcome(True, 'Prepared the repository.')
        assert not any('stanza-create' in text for text in site.processes.texts)  # type: ignore[attr-defined]
        assert self.run(lambda: rebuild.prepare(site, check=False))[0].changed
        assert any('stanza-create' in text for text in site.processes.texts)  # type: ignore[attr-defined]

    def test_the_repository_of_this_cluster_is_not_changed(self, site: Site) -> None:
        self.answers(site, 7)
        assert not self.run(lambda: rebuild.prepare(site, check=False))[0].changed

    def test_the_repository_of_another_cluster_is_rejected(self, site: Site) -> None:
        self.answers(site, 8)
        with pytest.raises(Failure, match=r'belongs to another machine \(backups in it: 1\).*rebuild\.yml'):
            self.run(lambda: rebuild.prepare(site, check=False))

    def test_a_fresh_machine_is_restored_except_in_check_mode(self, site: Site) -> None:
        self.answers(site, 8)
        outcome, restored = self.run(lambda: rebuild.rebuild(site, True, check=True))
        assert outcome.changed
        restored.assert_not_called()
        outcome, restored = self.run(lambda: rebuild.rebuild(site, False, check=False))
        assert outcome.message.endswith('The certificates are not restored.')
        restored.assert_called_once_with(site, 'latest', False)

    def test_a_machine_with_tables_is_rejected(self, site: Site) -> None:
        self.answers(site, 8, tables=3)
        with pytest.raises(Failure, match='not fresh: its database map-app has 3 tables'):
            self.run(lambda: rebuild.rebuild(site, True, check=False))

    @pytest.mark.parametrize('cluster', [None, 8])
    def test_a_repository_without_backups_is_rejected(self, site: Site, cluster: int | None) -> None:
        self.answers(site, cluster)
        stanza = {'repo': [{'status': {'code': 2}}], 'db': [{'id': 1, 'system-id': cluster}] if cluster else [], 'backup': []}
        site.processes.answers['pgbackrest'] = Ended(0, json.dumps([stanza]))  # type: ignore[attr-defined]
        with pytest.raises(Failure, match=r'contains no backup\. Correct backup_repository\.'):
            self.run(lambda: rebuild.rebuild(site, True, check=False))

    def test_a_machine_that_kept_its_backups_itself_cannot_be_rebuilt(self, tmp_path: Path) -> None:
        processes = RecordedProcesses()
        local = Site(Settings({'backup': {**BACKUP, 'state': str(tmp_path), 'local_only': True}}), processes, Units(processes))
        with pytest.raises(Failure, match='kept only on the lost machine'):
            rebuild.rebuild(local, True, check=False)

    @pytest.mark.parametrize('check', [True, False])
    def test_an_interrupted_restore_is_undone_except_in_check_mode(self, site: Site, check: bool) -> None:
        self.answers(site, 7)
        site.processes.answers['test -e /var/lib/postgresql/17/map-app-restored'] = Ended(0)  # type: ignore[attr-defined]
        outcome, _ = self.run(lambda: rebuild.prepare(site, check=check))
        assert outcome == Outcome(True, 'Undid an interrupted restore. The repository already belongs to this machine.')
        removed = any(text.startswith('rm ') and 'map-app-restored' in text for text in site.processes.texts)  # type: ignore[attr-defined]
        assert removed is not check

    def test_a_rebuilt_machine_is_not_changed(self, site: Site) -> None:
        self.answers(site, 7, tables=3)
        outcome, restored = self.run(lambda: rebuild.rebuild(site, True, check=False))
        assert not outcome.changed
        restored.assert_not_called()


class TestTake:
    def test_the_companion_files_exist_only_during_the_backup(self, site: Site) -> None:
        folder = f'{BACKUP["data"]}/map-app-backup'
        with (
            mock.patch.object(site.certificates, 'pack', return_value=b'sealed'),
            mock.patch.object(take, 'dump', return_value={}),
            pytest.raises(Failure, match='no space'),
            take.companions(site),
        ):
            raise Failure('no space')
        texts: list[str] = site.processes.texts  # type: ignore[attr-defined]
        assert texts[0] == texts[-1] == f'rm --recursive --force -- {folder}'
        assert [text.rsplit('/', 1)[1] for text in texts if text.startswith('sh ')] == ['certificates.sealed', 'measure.json']

    def test_a_restore_point_contains_exactly_the_measured_rows_and_is_archived(self, site: Site) -> None:
        order: list[str] = []

        def session(name: str) -> Any:
            found = mock.MagicMock()
            found.__enter__.return_value.ask.side_effect = lambda sql: order.append(f'{name}: {" ".join(sql.split())}')
            return found

        database = mock.Mock()
        database.session.side_effect = [session('writers'), session('reader')]
        with mock.patch.object(site, 'database', return_value=database), mock.patch.object(take, 'measure', return_value={}):
            moment = take.mark(site)
        begun, locked, *measured, marked, committed = order
        assert begun == "writers: BEGIN; SET LOCAL lock_timeout = '400ms'"
        assert 'LOCK TABLE %s IN SHARE MODE' in locked
        assert [statement.split(':')[0] for statement in measured] == ['reader', 'reader']
        assert marked == f"writers: SELECT pg_catalog.pg_create_restore_point('{moment['point']}')"
        assert committed == 'writers: COMMIT'
        assert site.processes.texts[-1].endswith(' check')  # type: ignore[attr-defined]


class TestPatience:
    """A backup waits for locks that other sessions hold, but only for a limited time."""

    def run(self, *outcomes: object, waits: float) -> tuple[Any, list[str]]:
        """Runs work with these outcomes. The clock advances by `waits` seconds each time it is read."""
        clock = itertools.count(step=waits)
        database = mock.Mock()
        database.ask.return_value = []
        work = mock.Mock(side_effect=outcomes)
        with mock.patch('time.sleep'), mock.patch('time.monotonic', side_effect=clock):
            outcome = take.patiently(database, work)
        return outcome, [call.args[0] for call in database.ask.call_args_list]

    def test_other_failures_are_not_retried(self) -> None:
        with pytest.raises(Failure, match='no disk'):
            self.run(Failure('no disk'), 'done', waits=1)

    def test_sessions_get_30_seconds(self) -> None:
        assert self.run(Failure('canceling statement due to lock timeout'), 'done', waits=10) == ('done', [])

    def test_idle_sessions_end_after_30_seconds_and_all_sessions_after_two_minutes(self) -> None:
        timeout = Failure('lock timeout')
        _, ended = self.run(timeout, timeout, timeout, 'done', waits=41)
        assert ["interval '30 s' AND (a.state <> 'active'" in sql for sql in ended] == [True, True, False]
        assert "interval '120 s' " in ended[2]

    def test_gives_up_after_150_seconds(self) -> None:
        with pytest.raises(Failure, match='held for more than two minutes'):
            self.run(Failure('statement timeout'), waits=151)


def test_a_drill_names_each_difference() -> None:
    one, other = {'rows': 1, 'checksum': 'a'}, {'rows': 2, 'checksum': 'b'}
    with pytest.raises(
        Failure, match=r'The dump differs from what was backed up: gone has nothing instead of 1 rows.*; pin has 2 rows \(checksum b\) instead of'
    ):
        drill.compare({'pin': one, 'gone': one, 'same': one}, {'pin': other, 'same': one}, 'The dump')  # type: ignore[dict-item]
    drill.compare({'same': one}, {'same': one}, 'The dump')  # type: ignore[dict-item]


def test_a_drill_needs_a_measured_backup(site: Site) -> None:
    site.processes.answers = {'pgbackrest': Ended(0, json.dumps([{'repo': [{'status': {'code': 2}}], 'db': [], 'backup': []}]))}  # type: ignore[attr-defined]
    with pytest.raises(Failure, match=r'measurements .* there are none.*: map-app backup\.'):
        drill.drill(site)
    assert site.state.read('drill')['ok'] is False


def test_a_reserve_of_free_space_is_kept_for_other_writes(tmp_path: Path) -> None:
    with mock.patch('shutil.disk_usage', return_value=mock.Mock(free=1000 * 2**20)):
        need_space(tmp_path, 595 * 2**20, 'The dump')
        with pytest.raises(Failure, match=r'The dump needs 1006 MB in .*, which has 1000 MB left. Free some space'):
            need_space(tmp_path, 600 * 2**20, 'The dump')
