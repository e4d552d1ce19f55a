"""The scratch server of a drill or a restore, and what is fetched from a backup."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app.backups import scratch
from map_app.backups.repository import CERTIFICATES, Backup, Contents
from map_app.backups.site import Site
from map_app.errors import Failure
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import BACKUP, RecordedProcesses

LABEL = '20261126-013000F'


@pytest.fixture
def processes() -> RecordedProcesses:
    return RecordedProcesses()


@pytest.fixture
def site(processes: RecordedProcesses) -> Site:
    found = Site(Settings({'backup': BACKUP}), processes, Units(processes))
    found.repository.contents = mock.Mock(return_value=Contents(7, [Backup(LABEL, datetime(2026, 11, 26, tzinfo=UTC), 1, 17)]))  # type: ignore[method-assign]
    return found


class TestEndServer:
    """The script that kills the server which an interrupted run left."""

    def end(self, cluster: Path, folder: Path) -> bool:
        """Runs the script for a cluster whose pid file names a process that works in a folder. Returns whether the process was killed."""
        with subprocess.Popen(['sleep', '60'], cwd=folder) as process:
            (cluster / 'postmaster.pid').write_text(f'{process.pid}\n{cluster}\n')
            subprocess.run(['sh', '-c', scratch.END_SERVER, 'sh', str(cluster)], check=False)
            killed = process.poll() is not None
            process.kill()
        return killed

    def test_kills_the_server_of_the_folder(self, tmp_path: Path) -> None:
        assert self.end(tmp_path, tmp_path)

    def test_spares_another_process_that_has_the_same_id_since(self, tmp_path: Path) -> None:
        (tmp_path / 'elsewhere').mkdir()
        assert not self.end(tmp_path, tmp_path / 'elsewhere')


def test_only_this_program_can_connect_to_the_server(site: Site, processes: RecordedProcesses) -> None:
    process: Any = mock.Mock(**{'poll.return_value': 0})
    with mock.patch.object(processes, 'start', return_value=process) as started, scratch.server(site, Path('/cluster'), fsync='off'):
        [command] = started.call_args.args
    assert started.call_args.kwargs['user'] == 'postgres'
    assert {'--listen_addresses=', '--unix_socket_directories=/cluster-socket', '--hba_file=/cluster-socket/pg_hba.conf', '--fsync=off'} <= set(command)
    assert processes.texts[-1] == 'rm --recursive --force -- /cluster-socket'


def test_a_server_that_exits_is_reported_with_its_last_error(site: Site, processes: RecordedProcesses) -> None:
    def start(command: list[str], *, stdout: Any, **_: object) -> Any:
        stdout.write(b'LOG: starting\nFATAL:  recovery ended before configured recovery target was reached\nLOG: shutting down\n')
        stdout.flush()
        return mock.Mock(**{'poll.return_value': 1})

    with (
        mock.patch.object(processes, 'start', start),
        scratch.server(site, Path('/cluster')) as server,
        pytest.raises(Failure, match=r'^PostgreSQL did not recover: recovery ended before configured recovery target was reached\.$'),
    ):
        server.wait('true')


def test_clearing_removes_the_socket_that_an_interrupted_run_left(site: Site, processes: RecordedProcesses) -> None:
    scratch.clear(site, Path('/cluster'))
    assert processes.texts[1:] == ['rm --recursive --force -- /cluster-socket', 'rm --recursive --force -- /cluster']


class TestFetch:
    @pytest.fixture(autouse=True)
    def space(self) -> Any:
        with mock.patch.object(scratch, 'need_space') as found:
            yield found

    def test_restores_the_backup_without_wal_and_removes_it(self, site: Site, processes: RecordedProcesses) -> None:
        with mock.patch.object(site.folders, 'read', return_value=b'sealed') as read:
            assert scratch.fetch(site, LABEL, CERTIFICATES) == b'sealed'
        folder = Path(BACKUP['data']).with_name('map-app-fetched')
        read.assert_called_once_with(folder / 'map-app-backup' / CERTIFICATES)
        [restored] = [text for text in processes.texts if text.endswith(' restore')]
        assert f'--pg1-path={folder} --set={LABEL} --type=none' in restored
        assert processes.texts[-1] == f'rm --recursive --force -- {folder}'

    def test_an_unknown_label_is_rejected(self, site: Site, processes: RecordedProcesses) -> None:
        with pytest.raises(Failure, match=r"^There is no backup 'none': to list the backups, run map-app backups\.$"):
            scratch.fetch(site, 'none', CERTIFICATES)
        assert processes.commands == []
