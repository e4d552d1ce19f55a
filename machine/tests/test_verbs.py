"""The verbs for releases, status, drift, maintenance, the run lock and the audit log."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import cli, playbook_verbs, release_verbs, site_verbs
from map_app.deploy import Report, Wanted
from map_app.lock import RunLock
from map_app.settings import Settings
from map_app.status import Found

from .stand_ins import APP, RecordedProcesses

Output = pytest.CaptureFixture[str]
ANN: dict[str, Any] = {'who': 'ann', 'controller': 'desk', 'pid': 7, 'started': 'boot 1', 'what': 'site.yml', 'when': 'noon'}
DONE = Report(True, 'It serves b.', ['current points to a'], ['unpack it: 1.0 s'])


class Server:
    def __init__(self, folder: Path) -> None:
        self.home = folder / 'home'
        self.lock = RunLock(folder / 'lock')
        self.audit = mock.Mock()
        self.wanted: list[Wanted] = []
        self.checks: list[bool] = []
        self.held: list[Any] = []
        self.report = DONE

    def release(self, version: str) -> None:
        path = self.home / 'releases' / version
        path.mkdir(parents=True)
        (path / 'map-app.mjs').touch()
        (path / 'good').touch()

    def deploy(self, serving: object, log: object, wanted: Wanted) -> mock.Mock:
        self.wanted.append(wanted)

        def run(check: bool) -> Report:
            self.checks.append(check)
            self.held.append(self.lock.holder())
            return self.report

        return mock.Mock(run=run)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    found.release('a')
    nginx = {'domain': 'map.example.org', 'site_file': '/none', 'maintenance': str(tmp_path), 'closed': str(tmp_path / 'closed')}
    settings = Settings({'map_app': {**APP, 'home': str(found.home)}, 'nginx': nginx})
    with (
        mock.patch('map_app.settings.read', return_value=settings),
        mock.patch('os.geteuid', return_value=0),
        mock.patch.object(release_verbs, 'Deploy', found.deploy),
        contextlib.ExitStack() as patches,
    ):
        for module in (playbook_verbs, release_verbs, site_verbs):
            patches.enter_context(mock.patch.object(module, 'RunLock', return_value=found.lock))
            patches.enter_context(mock.patch.object(module, 'Audit', return_value=found.audit))
        yield found


def run(*arguments: str) -> int:
    return cli.main(arguments, RecordedProcesses())


def archive(folder: Path, manifest: bytes, name: str = './manifest.json') -> Path:
    path = folder / 'release.tar.gz'
    with tarfile.open(path, 'w:gz') as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(manifest)
        tar.addfile(entry, io.BytesIO(manifest))
    return path


class TestDeploy:
    @pytest.mark.parametrize('name', ['./manifest.json', 'manifest.json'])
    def test_reads_the_version_in_the_archive(self, server: Server, tmp_path: Path, name: str) -> None:
        path = archive(tmp_path, b'{"version": "b"}', name)
        assert run('deploy', str(path)) == 0
        assert server.wanted == [Wanted('b', 'deploy', path)]

    @pytest.mark.parametrize('manifest', [b'{', b'[]', b'{"version": ""}', b'{"version": "../x"}', b'{"version": ".incoming"}', b'{"version": 1}'])
    def test_rejects_a_manifest_whose_version_cannot_name_a_folder(self, server: Server, tmp_path: Path, manifest: bytes, capsys: Output) -> None:
        assert run('deploy', str(archive(tmp_path, manifest))) == 1
        assert server.wanted == []
        assert capsys.readouterr().err.startswith('map-app deploy: ')

    def test_rejects_an_argument_that_is_neither_an_archive_nor_a_release(self, server: Server, capsys: Output) -> None:
        assert run('deploy', 'nothing') == 1
        assert 'nothing is neither the archive of a release nor the version of one on this machine' in capsys.readouterr().err

    def test_accepts_the_version_of_a_release_on_the_machine(self, server: Server) -> None:
        assert run('deploy', 'a') == 0
        assert server.wanted == [Wanted('a', 'deploy', None)]

    def test_accepts_all_options_of_a_playbook(self, server: Server) -> None:
        arguments = ['--within-run', '--version=b', '--sha256=f00', '--before-nginx', '/var/cache/release']
        assert run('deploy', *arguments) == 0
        assert server.wanted == [Wanted('b', 'deploy', Path('/var/cache/release'), 'f00', through_nginx=False)]

    def test_pending_is_read_only_in_check_mode(self, server: Server) -> None:
        run('deploy', 'a', '--pending')
        run('deploy', 'a', '--pending', '--check')
        assert [wanted.pending for wanted in server.wanted] == [False, True]

    def test_holds_the_run_lock_unless_a_playbook_does(self, server: Server, capsys: Output) -> None:
        run('deploy', 'a')
        assert server.held[-1]['what'] == 'map-app deploy'
        assert server.lock.holder() is None
        server.lock.take(ANN)
        assert run('deploy', 'a') == 1
        assert 'ann@desk has been running site.yml' in capsys.readouterr().err
        assert run('deploy', 'a', '--within-run') == 0
        assert run('deploy', 'a', '--check') == 0
        assert server.held[1:] == [ANN, ANN]

    def test_prints_the_result(self, server: Server, capsys: Output) -> None:
        run('deploy', 'a')
        assert capsys.readouterr().out == 'unpack it: 1.0 s\nIt serves b.\n'
        run('deploy', 'a', '--check')
        assert capsys.readouterr().out == 'current points to a\nIt serves b.\n'
        assert server.checks == [False, True]

    def test_prints_json(self, server: Server, capsys: Output) -> None:
        run('deploy', 'a', '--json')
        assert json.loads(capsys.readouterr().out) == {
            'changed': True,
            'summary': 'It serves b.',
            'message': 'It serves b.',
            'reasons': ['current points to a'],
            'phases': ['unpack it: 1.0 s'],
            'removed': [],
        }

    def test_a_failure_exits_with_1(self, server: Server, capsys: Output) -> None:
        server.report = Report(True, 'It serves a.', [], failure='b failed.')
        assert run('deploy', 'a', '--json') == 1
        printed = json.loads(capsys.readouterr().out)
        assert (printed['failed'], printed['message'], printed['summary']) == (True, 'b failed.', 'It serves a.')
        assert run('deploy', 'a') == 1
        assert capsys.readouterr().err == 'b failed.\n'


class TestRollback:
    def test_rolls_back_to_the_named_release(self, server: Server) -> None:
        assert run('rollback', 'a') == 0
        assert server.wanted == [Wanted('a', 'rollback')]

    def test_lists_the_releases_if_there_is_none_to_roll_back_to(self, server: Server, capsys: Output) -> None:
        assert run('rollback', 'none', '--json') == 1
        printed = json.loads(capsys.readouterr().out)
        assert printed['message'].startswith('There is no release none on this machine.\nReleases on this machine:\na  good ')
        assert server.wanted == []


def test_releases_are_listed(server: Server, capsys: Output) -> None:
    assert run('releases', '--json') == 0
    printed = json.loads(capsys.readouterr().out)
    assert [one['version'] for one in printed['releases']] == ['a']
    assert run('releases') == 0
    assert capsys.readouterr().out.startswith('a  good ')


def test_a_machine_without_releases_prints_the_fix(server: Server, capsys: Output) -> None:
    (server.home / 'releases/a/map-app.mjs').unlink()
    assert run('releases') == 0
    assert capsys.readouterr().out == 'There is no release: run site.yml.\n'


@pytest.mark.parametrize(('problems', 'status'), [([], 0), (['The disk is full.'], 1)])
def test_status_exits_with_1_if_there_is_a_problem(server: Server, problems: list[str], status: int, capsys: Output) -> None:
    found = Found({'now': 0, 'units': {}, 'disk': {}, 'failed': [], 'reboot': None}, problems)
    with mock.patch.object(site_verbs, 'Status', return_value=mock.Mock(read=lambda: found)):
        assert run('status', '--json') == status
        assert json.loads(capsys.readouterr().out) == {'status': found.status, 'problems': problems, 'outage': []}
        assert run('status') == status
    assert ('PROBLEM            The disk is full.' in capsys.readouterr().out) is bool(problems)


class TestDrift:
    def test_is_recorded_except_in_check_mode(self, server: Server) -> None:
        with mock.patch.object(site_verbs, 'Drift') as drift:
            run('drift', '--record', '--check')
            drift.return_value.write.assert_not_called()
            run('drift', '--record')
            drift.return_value.write.assert_called_once()

    @pytest.mark.parametrize(
        ('compared', 'words'),
        [
            ((None, {}), 'No run of site.yml has completed on this machine yet.\n'),
            (('noon', {'/etc/hosts': 'changed'}), 'changed  /etc/hosts\n1 file has changed since the run of noon.\n'),
        ],
    )
    def test_is_printed(self, server: Server, compared: tuple[str | None, dict[str, str]], words: str, capsys: Output) -> None:
        with mock.patch.object(site_verbs, 'Drift', return_value=mock.Mock(compare=lambda: compared)):
            assert run('drift') == 0
            assert capsys.readouterr().out == words
            run('drift', '--json')
        assert json.loads(capsys.readouterr().out) == {'recorded': compared[0], 'differs': compared[1]}


class TestMaintenance:
    def test_holds_the_run_lock(self, server: Server, tmp_path: Path, capsys: Output) -> None:
        server.lock.take(ANN)
        assert run('maintenance', 'on') == 1
        assert not (tmp_path / 'closed').exists()
        assert run('maintenance', 'on', '--within-run', '--json') == 0
        assert (tmp_path / 'closed').exists()
        assert json.loads(capsys.readouterr().out) == {'changed': True, 'message': 'The site is closed for maintenance.'}

    def test_is_no_change_the_second_time(self, server: Server, capsys: Output) -> None:
        run('maintenance', 'off', '--json')
        assert json.loads(capsys.readouterr().out)['changed'] is False


class TestLock:
    def test_a_run_takes_and_releases_it(self, server: Server, capsys: Output) -> None:
        assert run('lock', 'take', '--record', json.dumps(ANN), '--json') == 0
        assert json.loads(capsys.readouterr().out)['holder'] is None
        run('lock', 'show')
        assert capsys.readouterr().out == 'ann@desk runs site.yml since noon.\n'
        run('lock', 'take', '--record', json.dumps({**ANN, 'pid': 8}), '--json')
        assert json.loads(capsys.readouterr().out)['holder'] == ANN
        run('lock', 'free', '--record', json.dumps(ANN))
        assert server.lock.holder() is None


def test_a_note_is_added_except_in_check_mode(server: Server) -> None:
    run('note', 'restart', '--reason=why', '--check')
    server.audit.note.assert_not_called()
    run('note', 'restart', '--outcome=failed', '--reason=why')
    server.audit.note.assert_called_once_with('restart', 'failed', reason='why')
