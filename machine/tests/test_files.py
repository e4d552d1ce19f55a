"""Atomic replacement of files and folders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from map_app.cli import main
from map_app.errors import Failure
from map_app.files import unpack, write_atomically
from map_app.processes import Processes

from .stand_ins import RecordedProcesses


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A compressed archive of a folder `a` with a private file and a program."""
    source = tmp_path / 'source/a'
    source.mkdir(parents=True, mode=0o700)
    for name, mode in (('text', 0o600), ('program', 0o700)):
        (source / name).write_text(name)
        (source / name).chmod(mode)
        os.utime(source / name, (1, 1))
    path = tmp_path / 'a.tar.xz'
    subprocess.run(['tar', '--create', '--xz', f'--file={path}', f'--directory={source.parent}', 'a'], check=True)
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_an_archive_is_unpacked_so_that_all_users_can_read_it(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'new/b'
    unpack(Processes(), archive, folder, strip=1)
    assert {path.name: mode(path) for path in folder.iterdir()} == {'text': 0o644, 'program': 0o755}
    assert mode(folder) == 0o755
    assert (folder / 'text').stat().st_mtime == 1
    assert [path.name for path in folder.parent.iterdir()] == ['b']


def test_the_files_belong_to_root_and_are_on_the_disk_before_the_folder_appears(tmp_path: Path) -> None:
    processes = RecordedProcesses()
    rename = mock.Mock(side_effect=lambda folder: processes.commands.append(['rename', folder.name]))
    with mock.patch.object(Path, 'rename', rename):
        unpack(processes, tmp_path / 'a.tar', tmp_path / 'b')
    assert '--no-same-owner' in processes.commands[0]
    assert [command[0] for command in processes.commands] == ['tar', 'chmod', 'sync', 'rename']


def test_files_get_the_current_time_on_request(archive: Path, tmp_path: Path) -> None:
    unpack(Processes(), archive, tmp_path / 'b', new_times=True)
    assert (tmp_path / 'b/a/text').stat().st_mtime > 1_000_000


def test_replaces_a_former_folder_and_the_remains_of_a_killed_run(archive: Path, tmp_path: Path) -> None:
    for name in ('b', '.incoming'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'left').touch()
    unpack(Processes(), archive, tmp_path / 'b', strip=1)
    assert {path.name for path in (tmp_path / 'b').iterdir()} == {'text', 'program'}


def test_a_damaged_archive_leaves_the_former_folder(archive: Path, tmp_path: Path) -> None:
    (tmp_path / 'b').mkdir()
    archive.write_bytes(archive.read_bytes()[:50])
    with pytest.raises(Failure, match='tar'):
        unpack(Processes(), archive, tmp_path / 'b')
    assert (tmp_path / 'b').exists()


class TestVerb:
    @pytest.fixture(autouse=True)
    def root(self) -> object:
        with mock.patch('os.geteuid', return_value=0):
            yield

    def test_unpacks_once(self, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ['unpack', str(archive), str(tmp_path / 'b'), '--strip=1', '--json']
        for changed in ('true', 'false'):
            assert main(arguments) == 0
            assert f'"changed": {changed}' in capsys.readouterr().out
        assert archive.exists()

    def test_a_check_changes_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(['unpack', str(tmp_path / 'missing.tar'), str(tmp_path / 'b'), '--check', '--json']) == 0
        assert '"changed": true' in capsys.readouterr().out
        assert list(tmp_path.iterdir()) == []

    def test_unpacks_again_if_a_file_is_missing(self, archive: Path, tmp_path: Path) -> None:
        arguments = ['unpack', str(archive), str(tmp_path / 'b'), '--strip=1', '--unless=program']
        main(arguments)
        (tmp_path / 'b/program').unlink()
        main(arguments)
        assert (tmp_path / 'b/program').exists()

    def test_consumes_the_archive(self, archive: Path, tmp_path: Path) -> None:
        main(['unpack', str(archive), str(tmp_path / 'b'), '--consume'])
        assert not archive.exists()


def test_a_file_is_replaced_with_its_mode_regardless_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / 'a'
    before = os.umask(0o077)
    try:
        write_atomically(path, 'old')
        write_atomically(path, 'new', 0o640)
    finally:
        os.umask(before)
    assert path.read_text() == 'new'
    assert mode(path) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / 'a'
    write_atomically(path, 'old')
    with mock.patch('os.fsync', side_effect=OSError), pytest.raises(OSError):  # noqa: PT011
        write_atomically(path, 'new')
    assert path.read_text() == 'old'
