"""
A restore that fails or is killed at any of its steps. Commands run in a model of the server: two folders that hold a cluster or none, and two units.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app.backups import restore as module
from map_app.backups import scratch
from map_app.backups.repository import Backup
from map_app.backups.restore import MARK, restore, undo_interrupted
from map_app.backups.site import Site
from map_app.backups.target import Target
from map_app.errors import Failure
from map_app.processes import Ended, Processes
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import APP, BACKUP

DATA = Path(BACKUP['data'])
RESTORED = DATA.with_name('map-app-restored')
TARGET = Target('the latest state in the repository', Backup('20261126-013000F', datetime(2026, 11, 26, tzinfo=UTC), 1, 17), [], None)


class Killed(BaseException):
    """The process was killed, so none of its cleanup runs."""


class Model(Processes):
    """
    The server.
    @param fails: the number of the command that fails
    @param killed: the number of the command at which the process is killed
    """

    def __init__(self, fails: int | None = None, killed: int | None = None) -> None:
        self.fails, self.killed = fails, killed
        self.commands: list[str] = []
        # SQL statements, each with the number of its command.
        self.statements: dict[str, int] = {}
        # What is in each folder: the name of the cluster, and files.
        self.folders: dict[Path, set[str]] = {DATA: {'present'}}
        self.active = {BACKUP['unit'], APP['service']}

    def run(self, command: Sequence[str], *, user: str | None = None, text: str = '', environment: Mapping[str, str] | None = None) -> Ended:
        self.statements[text] = len(self.commands)
        return self.do(command)

    def convert(self, command: Sequence[str], data: bytes, *, user: str | None = None, pass_fds: Sequence[int] = (), umask: int = -1) -> bytes:
        if self.do(command).status != 0:
            raise Failure(f'{command[0]} failed')
        return b''

    def do(self, command: Sequence[str]) -> Ended:
        self.commands.append(' '.join(command))
        number = len(self.commands)
        if self.killed is not None and number >= self.killed:
            raise Killed
        if number == self.fails:
            return Ended(1, errors='it failed on purpose')
        return self.effect(list(command))

    def effect(self, command: list[str]) -> Ended:
        last = Path(command[-1])
        match command:
            case ['systemctl', 'is-active', '--quiet', unit]:
                return Ended(0 if unit in self.active else 3)
            case ['systemctl', 'start', unit]:
                # PostgreSQL starts only with a cluster.
                if unit == BACKUP['unit'] and not self.folders.get(DATA, set()) & {'present', 'restored'}:
                    return Ended(1)
                self.active.add(unit)
            case ['systemctl', 'stop', unit]:
                self.active.discard(unit)
            case ['test', '-e', _]:
                return Ended(0 if last in self.folders or last.name in self.folders.get(last.parent, set()) else 1)
            case ['mkdir', *_]:
                self.folders.setdefault(last, set())
            case ['rm', *_]:
                self.folders.pop(last, None)
                self.folders.get(last.parent, set()).discard(last.name)
            case ['sh', '-c', script, 'sh', path] if 'cat' in script:
                self.folders[Path(path).parent].add(Path(path).name)
            case ['pgbackrest', *_, 'restore']:
                self.folders[RESTORED].add('restored')
            case [_, '-I', '-c', _, one, other]:
                self.folders[Path(one)], self.folders[Path(other)] = self.folders[Path(other)], self.folders[Path(one)]
        return Ended(0, 't')

    def serves(self, cluster: str) -> bool:
        """Returns whether the service and PostgreSQL run on that cluster, and nothing else is left."""
        return self.active == {BACKUP['unit'], APP['service']} and self.folders == {DATA: {cluster}}


@contextmanager
def fake_server(site: Site, folder: Path, **overrides: str) -> Iterator[Any]:
    """Runs the recovery as a command of the model."""
    site.processes.require(['recover', str(folder)])
    yield mock.Mock()


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, 'find', lambda site, to: TARGET)
    monkeypatch.setattr(module, 'need_space', lambda *_: None)
    monkeypatch.setattr(scratch, 'server', fake_server)
    monkeypatch.setattr(module, 'measure', lambda database: {'pin': {}})


def site_on(model: Model, tmp_path: Path) -> Site:
    release = tmp_path / 'release'
    release.mkdir(exist_ok=True)
    (release / 'map-app.mjs').touch()
    found = Settings({'map_app': {**APP, 'release': str(release)}, 'backup': {**BACKUP, 'state': str(tmp_path)}})
    return Site(found, model, Units(model))


def steps(tmp_path: Path) -> int:
    """Returns the number of commands of a successful restore."""
    model = Model()
    restore(site_on(model, tmp_path), 'latest')
    assert model.serves('restored')
    return len(model.commands)


def test_succeeds_migrates_and_records_the_previous_state(tmp_path: Path) -> None:
    model = Model()
    site = site_on(model, tmp_path)
    site.state.write('moment', {'label': 'of the former timeline'})
    assert restore(site, 'latest').startswith('the latest state in the repository: the data reaches up to ')
    assert model.serves('restored')
    migration = next(index for index, command in enumerate(model.commands) if command.endswith('migrate'))
    assert model.commands.index(f'systemctl start {BACKUP["unit"]}') < migration < model.commands.index(f'systemctl start {APP["service"]}')
    assert site.state.read('restored')['to'] == TARGET.words
    assert site.state.read('moment') == {}


def test_the_service_stops_only_after_the_backup_was_fetched(tmp_path: Path) -> None:
    model = Model()
    restore(site_on(model, tmp_path), 'latest')
    fetched = next(index for index, command in enumerate(model.commands) if command.startswith('pgbackrest'))
    assert fetched < model.commands.index(f'systemctl stop {APP["service"]}')


def test_after_a_failure_at_any_step_the_current_or_the_fully_restored_database_serves(tmp_path: Path) -> None:
    put_back = 0
    for number in range(1, steps(tmp_path) + 1):
        model = Model(fails=number)
        site = site_on(model, tmp_path)
        try:
            restore(site, 'latest')
        except Failure:
            failed = True
        else:
            failed = False
        if number == 2:
            # This command checks whether the service runs. If it fails, the service counts as stopped.
            continue
        step = model.commands[number - 1]
        # Once the restored database serves, the folder may contain only remains of the former one.
        serves_restored = 'restored' in model.folders[DATA]
        assert model.active >= {BACKUP['unit'], APP['service']}, step
        assert serves_restored or model.folders[DATA] - {'map-app-backup'} == {'present'}, step
        if not serves_restored:
            assert failed or step.startswith(('sh -c pid=', 'test')), step
            put_back += 1
    assert put_back > 5


def test_after_a_kill_at_any_step_the_next_run_undoes_the_restore_or_it_was_complete(tmp_path: Path) -> None:
    undone = 0
    for number in range(1, steps(tmp_path) + 1):
        model = Model(killed=number)
        with pytest.raises(Killed):
            restore(site_on(model, tmp_path), 'latest')
        step = f'{number}: {model.commands[number - 1]}'
        assert {'present', 'restored'} & model.folders[DATA], f'no cluster in its place when killed at {step}'
        model.killed = None
        interrupted = RESTORED in model.folders
        assert undo_interrupted(site_on(model, tmp_path)) == interrupted, step
        undone += interrupted
        assert RESTORED not in model.folders, step
        assert BACKUP['unit'] in model.active or not interrupted, step
        if not interrupted:
            assert 'present' in model.folders[DATA] or MARK not in model.folders[DATA], step
    assert undone > 5


def test_a_restore_after_a_killed_one_starts_the_service_again(tmp_path: Path) -> None:
    for number in itertools.count(1):
        model = Model(killed=number)
        with suppress(Killed):
            restore(site_on(model, tmp_path), 'latest')
        if APP['service'] not in model.active:
            break
    model.killed = None
    restore(site_on(model, tmp_path), 'latest')
    assert model.serves('restored')


def test_a_failed_migration_undoes_the_restore(tmp_path: Path) -> None:
    model = Model()
    migrate = mock.Mock(side_effect=Failure('map-app migrate failed: broken'))
    with mock.patch.object(Site, 'migrate', migrate), pytest.raises(Failure, match='map-app migrate failed'):
        restore(site_on(model, tmp_path), 'latest')
    assert model.serves('present')


def test_a_stopped_service_stays_stopped(tmp_path: Path) -> None:
    model = Model()
    model.active.discard(APP['service'])
    restore(site_on(model, tmp_path), 'latest')
    assert model.active == {BACKUP['unit']}
    assert not any(APP['service'] in command for command in model.commands if command.startswith(('systemctl start', 'systemctl stop')))


def test_recovery_has_a_transaction_after_its_target(tmp_path: Path) -> None:
    model = Model()
    restore(site_on(model, tmp_path), 'latest')
    assert model.statements['SELECT pg_current_xact_id()'] < model.commands.index(f'systemctl stop {BACKUP["unit"]}')


def test_the_settings_of_the_recovery_are_removed_before_the_exchange(tmp_path: Path) -> None:
    model = Model()
    restore(site_on(model, tmp_path), 'latest')
    exchange = next(index for index, command in enumerate(model.commands) if '-I -c' in command)
    assert model.statements['ALTER SYSTEM RESET ALL'] < exchange


def test_a_restore_that_would_fill_the_disk_changes_nothing(tmp_path: Path) -> None:
    model = Model()
    full = mock.Mock(side_effect=Failure('Free some space'))
    with mock.patch.object(module, 'need_space', full), pytest.raises(Failure, match='Free some space'):
        restore(site_on(model, tmp_path), 'latest')
    full.assert_called_once_with(DATA.parent, TARGET.backup.size, 'The restore')
    assert model.serves('present')
    assert not any(command.startswith(('pgbackrest', 'systemctl stop')) for command in model.commands)


def test_a_rebuild_records_no_earlier_state(tmp_path: Path) -> None:
    model = Model()
    site = site_on(model, tmp_path)
    with mock.patch.object(site.certificates, 'members', return_value=[]), mock.patch.object(site.certificates, 'extract') as extracted:
        restore(site, 'latest', with_certificates=True)
    extracted.assert_called_once_with([])
    assert site.state.read('restored') == {}


def test_a_machine_without_a_release_is_not_migrated(tmp_path: Path) -> None:
    model = Model()
    site = Site(Settings({'backup': {**BACKUP, 'state': str(tmp_path)}}), model, Units(model))
    restore(site, 'latest')
    assert not any('migrate' in command or APP['service'] in command for command in model.commands)


def test_certificates_are_checked_before_anything_is_changed(tmp_path: Path) -> None:
    model = Model()
    site = site_on(model, tmp_path)
    refuse = mock.Mock(side_effect=Failure('not sealed'))
    with mock.patch.object(site.certificates, 'members', refuse), pytest.raises(Failure, match='not sealed'):
        restore(site, 'latest', with_certificates=True)
    assert model.serves('present')
    assert f'systemctl stop {APP["service"]}' not in model.commands
