"""A deploy in a model of the server: it fails, or is killed, at each of its steps."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import audit, worker
from map_app.audit import Audit
from map_app.deploy import Deploy, Report, Wanted
from map_app.lock import RunLock
from map_app.processes import Ended, Processes
from map_app.serving import Serving
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import APP

WORKERS = APP['workers']
STEPS = (
    'unpack it',
    'check that it starts',
    'migrate the database',
    'start a trial worker',
    'point current',
    'restart map-app@1',
    'restart map-app@2',
    'clear up',
)


class Killed(BaseException):
    """The process was killed, so none of its cleanup runs."""


class Server(Processes):
    """
    A server with two workers, each of which runs the release that was current when it started.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = 2_000_000_000.0
        # The release and the start time of each running unit.
        self.running: dict[str, tuple[str, float]] = {}
        self.enabled = {APP['service']}
        self.commands: list[str] = []
        # The releases whose workers fail, and the releases whose commands fail.
        self.broken: set[str] = set()
        self.failing: dict[str, str] = {}
        self.die: Callable[[str], None] = lambda step: None

    def tick(self) -> float:
        self.clock += 1
        return self.clock

    def current(self) -> str:
        return Path(os.readlink(self.home / 'current')).name

    def serving(self) -> list[str]:
        return [self.running[unit][0] if unit in self.running else 'nothing' for unit in WORKERS]

    def run(self, command: Sequence[str], *, user: str | None = None, text: str = '', environment: Mapping[str, str] | None = None) -> Ended:
        self.commands.append(' '.join(command))
        match list(command):
            case ['tar', *_]:
                options = dict(one.partition('=')[::2] for one in command)
                with tarfile.open(options['--file']) as tar:
                    tar.extractall(options['--directory'], filter='data')
            case ['systemd-run', *_]:
                name = command[-1]
                return Ended(1, errors=f'{self.failing[name]}\n') if name in self.failing else Ended(0)
            case ['systemctl', 'show', *_]:
                return Ended(0, self.show(command[command.index('--') + 1 :]))
            case ['systemctl', 'start', '--no-block', unit]:
                self.bring_up(unit)
            case ['systemctl', 'restart' | 'start', *units]:
                for unit in units:
                    self.running.pop(unit, None)
                    self.bring_up(unit)
                return Ended(1 if any(unit not in self.running for unit in units) else 0)
            case ['systemctl', 'stop', *units]:
                for unit in units:
                    self.running.pop(unit, None)
            case ['systemctl', 'is-enabled', _, unit]:
                return Ended(0 if unit in self.enabled else 1)
            case ['systemctl', 'enable', _, unit]:
                self.enabled.add(unit)
        return Ended(0)

    def bring_up(self, unit: str) -> None:
        if unit == APP['service']:
            for one in WORKERS:
                self.bring_up(one)
            self.running[unit] = ('', self.tick())
        if unit == 'map-app-trial.service':
            if 'does not start trial' in self.broken:
                return
            self.running[unit] = ('trial', self.tick())
        elif unit != APP['service'] and f'does not start {self.current()}' not in self.broken:
            self.running[unit] = (self.current(), self.tick())

    def show(self, names: Sequence[str]) -> str:
        found = [name for name in names if '*' not in name] + [unit for unit in self.running if '*' in ''.join(names) and '@' in unit]
        return '\n\n'.join(self.describe(name) for name in dict.fromkeys(found))

    def describe(self, name: str) -> str:
        state, started = ('active', self.running[name][1]) if name in self.running else ('inactive', 0.0)
        time = datetime.fromtimestamp(started, UTC).strftime('Sun %Y-%m-%d %H:%M:%S.%f UTC') if started else ''
        return f'Id={name}\nActiveState={state}\nExecMainStartTimestamp={time}\nActiveEnterTimestamp={time}\nMainPID={int(started)}'

    def answer(self, path: str, call: str) -> str | None:
        """Returns what is wrong with a response of a worker or of the trial worker, or None."""
        unit = f'map-app@{path.removeprefix("/run/map-app-").removesuffix("/worker.sock")}.service'
        if path == str(self.home):
            # The socket of all workers.
            return next((f'{call} returns 500' for release in self.serving() if release in self.broken), None)
        if path.endswith('trial.sock'):
            return f'{call} returns 500' if 'trial' in self.broken else None
        if unit not in self.running:
            return f'{call} returns no complete response'
        return f'{call} returns 500' if self.running[unit][0] in self.broken else None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server on which release a serves well."""
    home = tmp_path / 'home'
    (home / 'releases' / 'a').mkdir(parents=True)
    (home / 'releases' / 'a' / 'map-app.mjs').touch()
    (home / 'releases' / 'a' / 'good').write_text('{}')
    (home / 'current').symlink_to('releases/a')
    found = Server(home)
    found.bring_up(APP['service'])
    monkeypatch.setattr(audit, 'tell_journal', lambda message, **fields: found.die(str(fields.get('phase', ''))))
    monkeypatch.setattr('map_app.deploy.refusal', found.answer)
    monkeypatch.setattr(worker, 'refusal', found.answer)
    monkeypatch.setattr(worker, 'ask', lambda path, call: (0, '') if found.answer(path, call) else (200, ''))
    monkeypatch.setattr(worker.wait_ready, '__defaults__', (0.0,))
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    real = Path.symlink_to

    def symlink_to(self: Path, target: Any, target_is_directory: bool = False) -> None:
        real(self, target, target_is_directory)
        moment = found.tick()
        os.utime(self, (moment, moment), follow_symlinks=False)

    # The times of links come from the clock of this model, like the start times.
    monkeypatch.setattr(Path, 'symlink_to', symlink_to)
    os.utime(home / 'current', (1, 1), follow_symlinks=False)
    return found


def archive(server: Server, version: str) -> Path:
    folder = server.home.parent / f'source-{version}'
    folder.mkdir(exist_ok=True)
    (folder / 'map-app.mjs').write_text(version)
    (folder / 'manifest.json').write_text(json.dumps({'version': version, 'commit': version * 40}))
    path = server.home.parent / f'{version}.tar.gz'
    with tarfile.open(path, 'w:gz') as tar:
        for file in folder.iterdir():
            tar.add(file, file.name)
    return path


def deploy(server: Server, version: str, check: bool = False, watch_seconds: float = 0, **wanted: Any) -> Report:
    app = {**APP, 'home': str(server.home), 'files': [], 'socket_path': str(server.home), 'watch_seconds': watch_seconds}
    serving = Serving(Settings({'map_app': app}), server, Units(server))
    if wanted.get('action') != 'rollback' and 'archive' not in wanted:
        wanted['archive'] = archive(server, version)
    log = Audit(RunLock(server.home / 'lock'), server.home / 'audit')
    with mock.patch.object(serving, 'socket_faults', return_value=[]), mock.patch('map_app.release_command.os.path.isfile', return_value=True):
        return Deploy(serving, log, Wanted(version, **wanted)).run(check)


def deploy_killed(server: Server, version: str, step: str) -> None:
    """Deploys a release with a process that dies at the start of a step."""

    def die(phase: str) -> None:
        if phase.startswith(step):
            raise Killed

    with mock.patch.object(server, 'die', die), pytest.raises(Killed):
        deploy(server, version)


def audited(server: Server) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (server.home / 'audit').read_text().splitlines()]


def test_a_good_release_serves_and_is_marked_and_logged(server: Server) -> None:
    report = deploy(server, 'b')
    assert report.failure is None
    assert report.changed
    assert server.serving() == ['b', 'b']
    assert (server.home / 'releases/b/good').exists()
    assert Path(os.readlink(server.home / 'fallback')).name == 'a'
    assert [phase.split(':')[0][: len(step)] for phase, step in zip(report.phases, STEPS, strict=True)] == list(STEPS)
    assert audited(server)[-1] | {'action': 'deploy', 'outcome': 'good', 'release': 'b', 'before': 'a'} == audited(server)[-1]
    assert report.summary == 'https://map.example.org serves release b (deploy; before it a)'


def test_a_second_deploy_has_nothing_to_do(server: Server) -> None:
    deploy(server, 'b')
    before = dict(server.running)
    report = deploy(server, 'b')
    assert (report.changed, report.reasons, report.phases) == (False, [], [])
    assert server.running == before


def test_a_check_changes_nothing(server: Server) -> None:
    before = dict(server.running)
    report = deploy(server, 'b', check=True)
    assert report.changed
    assert report.summary.endswith('serves release a, and would serve b')
    assert (server.current(), server.running) == ('a', before)
    assert not (server.home / 'releases/b').exists()
    assert not (server.home / 'audit').exists()


BREAKS: dict[str, Callable[[Server], object]] = {
    'check that it starts': lambda server: server.failing.update(check='WANTED is required'),
    'migrate the database': lambda server: server.failing.update(migrate='division by zero'),
    'start a trial worker': lambda server: server.broken.add('trial'),
    'restart map-app@1': lambda server: server.broken.add('b'),
}


@pytest.mark.parametrize('step', BREAKS)
def test_a_release_that_fails_at_a_step_is_bad_and_the_previous_one_serves(server: Server, step: str) -> None:
    BREAKS[step](server)
    report = deploy(server, 'b')
    assert report.failure
    assert f'failed to "{step}' in report.failure
    assert 'a serves' in report.failure
    assert (server.current(), server.serving()) == ('a', ['a', 'a'])
    assert json.loads((server.home / 'releases/b/bad').read_text())['step'].startswith(step)
    assert audited(server)[-1]['outcome'] == 'failed'
    assert 'map-app-trial.service' not in server.running


def test_the_trial_worker_starts_before_the_check_and_ends_before_the_workers_restart(server: Server) -> None:
    deploy(server, 'b')
    kinds = {'start --no-block map-app-trial.service': 'begin', ' check': 'check', ' migrate': 'migrate', 'start map-app-trial.service': 'await'}
    kinds |= {'stop map-app-trial.socket map-app-trial.service': 'stop', f'restart {WORKERS[0]}': 'restart'}
    found = [kind for command in server.commands for end, kind in kinds.items() if command.endswith(end)]
    assert found == ['stop', 'begin', 'check', 'migrate', 'await', 'stop', 'restart']


def test_a_trial_worker_that_ended_during_the_migration_is_started_again(server: Server) -> None:
    def end_trial(step: str) -> None:
        if step.startswith('start a trial'):
            del server.running['map-app-trial.service']

    server.die = end_trial
    assert deploy(server, 'b').failure is None
    assert sum(command.endswith('start map-app-trial.service') for command in server.commands) == 1


@pytest.mark.parametrize(
    ('broken', 'failure'),
    [
        ('does not start trial', 'failed to "start a trial worker on a private socket": it does not start'),
        ('does not start b', 'does not start'),
    ],
)
def test_the_previous_release_serves_if_a_trial_worker_or_a_worker_does_not_start(server: Server, broken: str, failure: str) -> None:
    server.broken.add(broken)
    report = deploy(server, 'b')
    assert report.failure
    assert failure in report.failure
    assert server.serving() == ['a', 'a']


def test_workers_that_the_bad_release_has_not_reached_are_not_restarted(server: Server) -> None:
    second = server.running[WORKERS[1]]
    server.broken.add('b')
    deploy(server, 'b')
    assert server.running[WORKERS[1]] == second


def test_a_damaged_archive_changes_nothing(server: Server) -> None:
    report = deploy(server, 'b', sha256='0' * 64)
    assert report.failure
    assert 'does not match its checksum: run again' in report.failure
    assert not (server.home / 'releases/b').exists()
    assert server.serving() == ['a', 'a']
    path = archive(server, 'b')
    good = hashlib.sha256(path.read_bytes()).hexdigest()
    assert deploy(server, 'b', archive=path, sha256=good).failure is None


def test_the_archive_stays_and_its_copy_is_removed(server: Server) -> None:
    path = archive(server, 'b')
    deploy(server, 'b', archive=path)
    assert path.exists()
    assert not list((server.home / 'releases').glob('.incoming*'))


@pytest.mark.parametrize('step', STEPS)
def test_after_a_kill_at_any_step_a_release_serves_and_the_next_run_completes_the_deploy(server: Server, step: str) -> None:
    deploy_killed(server, 'b', step)
    assert set(server.serving()) <= {'a', 'b'}
    reached = {unit: start for unit, start in server.running.items() if start[0] == 'b'}
    report = deploy(server, 'b')
    assert report.failure is None
    assert server.serving() == ['b', 'b']
    # A worker that serves the release already is not restarted again.
    assert {unit: server.running[unit] for unit in reached} == reached
    assert (server.home / 'releases/b/good').exists()


def test_after_a_kill_a_bad_release_is_still_rolled_back_to_the_good_one(server: Server) -> None:
    deploy_killed(server, 'b', 'restart map-app@2')
    server.broken.add('b')
    report = deploy(server, 'b')
    assert report.failure
    assert 'a serves again' in report.failure
    assert server.serving() == ['a', 'a']


class TestWatch:
    @pytest.fixture
    def watched(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], float]]:
        """The workers that are watched, and for how many seconds."""
        found: list[tuple[list[str], float]] = []
        watch = mock.Mock(stand=lambda workers, seconds: found.append((list(workers), seconds)))
        monkeypatch.setattr('map_app.deploy.Watch', lambda *_: watch)
        return found

    def test_each_worker_of_a_new_release_is_watched_before_the_next_one_restarts(self, server: Server, watched: list[tuple[list[str], float]]) -> None:
        deploy(server, 'b', watch_seconds=2)
        assert watched == [(WORKERS[:1], 2), (WORKERS[1:], 2)]

    def test_workers_that_an_interrupted_run_restarted_are_watched_again(self, server: Server, watched: list[tuple[list[str], float]]) -> None:
        deploy_killed(server, 'b', 'restart map-app@2')
        watched.clear()
        deploy(server, 'b', watch_seconds=2)
        assert watched == [(WORKERS[1:], 2), (WORKERS, 2)]

    def test_a_restart_of_a_good_release_is_not_watched(self, server: Server, watched: list[tuple[list[str], float]]) -> None:
        del server.running[WORKERS[1]]
        deploy(server, 'a', watch_seconds=2)
        assert watched == [(WORKERS[1:], 0)]


def test_after_a_failed_first_release_none_serves(server: Server) -> None:
    (server.home / 'current').unlink()
    (server.home / 'releases/a/map-app.mjs').unlink()
    server.running.clear()
    server.enabled.clear()
    server.broken.add('b')
    report = deploy(server, 'b')
    assert report.failure
    assert 'There is no earlier release to roll back to, so no release serves.' in report.failure
    assert not (server.home / 'current').is_symlink()


def test_a_failed_rollback_is_reported_too(server: Server) -> None:
    server.broken.update({'b', 'a'})
    report = deploy(server, 'b')
    assert report.failure
    assert 'The rollback failed, too:' in report.failure


def test_after_a_failure_the_workers_count_as_current(server: Server) -> None:
    server.broken.add('b')
    deploy(server, 'b')
    report = deploy(server, 'a')
    assert (report.changed, report.reasons) == (False, [])


def test_a_rollback_never_chooses_a_release_that_was_not_good(server: Server) -> None:
    deploy(server, 'z')
    (server.home / 'releases/z/good').unlink()
    server.broken.add('b')
    report = deploy(server, 'b')
    assert report.failure
    assert server.serving() == ['a', 'a']


class TestRollback:
    def test_rolls_back_without_a_migration_and_stays_rolled_back(self, server: Server) -> None:
        deploy(server, 'b')
        server.commands.clear()
        report = deploy(server, 'a', action='rollback')
        assert report.failure is None
        assert server.serving() == ['a', 'a']
        assert not any(command.endswith('migrate') for command in server.commands)
        assert (server.home / 'releases/b/left').exists()
        kept = deploy(server, 'b')
        assert not kept.changed
        assert 'kept because a rollback replaced b' in kept.summary
        assert server.serving() == ['a', 'a']

    def test_a_newer_release_is_deployed_after_a_rollback(self, server: Server) -> None:
        deploy(server, 'b')
        deploy(server, 'a', action='rollback')
        assert deploy(server, 'c').failure is None
        assert server.serving() == ['c', 'c']

    def test_a_rollback_to_a_named_release_accepts_a_left_one(self, server: Server) -> None:
        deploy(server, 'b')
        deploy(server, 'a', action='rollback')
        assert deploy(server, 'b', action='rollback').failure is None
        assert server.serving() == ['b', 'b']
        assert not (server.home / 'releases/b/left').exists()

    def test_a_release_that_does_not_support_the_schema_is_rejected(self, server: Server) -> None:
        deploy(server, 'b')
        server.broken.add('trial')
        report = deploy(server, 'a', action='rollback')
        assert report.failure
        assert server.serving() == ['b', 'b']
        # The release stays good, because it served well before.
        assert (server.home / 'releases/a/good').exists()


class TestConvergence:
    def test_restarts_workers_older_than_their_files(self, server: Server) -> None:
        before = dict(server.running)
        os.utime(server.home / 'current', (server.tick(), server.clock), follow_symlinks=False)
        report = deploy(server, 'a')
        assert report.changed
        assert all(server.running[unit][1] > before[unit][1] for unit in WORKERS)
        assert audited(server)[-1]['action'] == 'restart'

    def test_starts_a_service_that_is_stopped_and_not_enabled(self, server: Server) -> None:
        server.running.clear()
        server.enabled.clear()
        report = deploy(server, 'a')
        assert 'map-app does not run' in report.reasons
        assert 'map-app is not started at boot' in report.reasons
        assert server.serving() == ['a', 'a']
        assert server.enabled == {APP['service']}

    def test_starts_a_stopped_worker_and_does_not_restart_the_other(self, server: Server) -> None:
        first = server.running[WORKERS[0]]
        del server.running[WORKERS[1]]
        report = deploy(server, 'a')
        assert report.reasons == ['map-app@2.service does not run']
        assert server.serving() == ['a', 'a']
        assert server.running[WORKERS[0]] == first

    def test_a_check_removes_nothing(self, server: Server) -> None:
        for version in 'bcdefgh':
            (server.home / 'releases' / version).mkdir()
            (server.home / 'releases' / version / 'map-app.mjs').touch()
            (server.home / 'releases' / version / 'good').touch()
        report = deploy(server, 'a', check=True)
        assert len(report.removed) == 2
        assert len(list((server.home / 'releases').iterdir())) == 8

    def test_stops_a_surplus_worker(self, server: Server) -> None:
        server.bring_up('map-app@3.service')
        report = deploy(server, 'a')
        assert report.reasons == ['map-app@3.service runs, but is not configured']
        assert 'map-app@3.service' not in server.running

    def test_removes_old_releases(self, server: Server) -> None:
        for version in 'bcdefgh':
            report = deploy(server, version)
        assert report.removed == ['c']
        assert not (server.home / 'releases/c').exists()
        # The target of a rollback is kept.
        assert (server.home / 'releases/g').exists()


def test_a_missing_release_without_an_archive_is_a_failure(server: Server) -> None:
    report = deploy(server, 'b', archive=None)
    assert report.failure
    assert 'no archive was given' in report.failure


def test_a_failed_unpacking_does_not_restart_the_service(server: Server) -> None:
    before = dict(server.running)
    with mock.patch('map_app.deploy.shutil.copyfile', side_effect=OSError(28, 'No space left on device')):
        report = deploy(server, 'b')
    assert report.failure
    assert 'No space left on device' in report.failure
    assert {unit: server.running[unit] for unit in WORKERS} == {unit: before[unit] for unit in WORKERS}
