"""What pgBackRest says about the repository, and how other settings for it are tried."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app.backups.repository import Repository
from map_app.errors import Failure
from map_app.processes import Ended

from .stand_ins import RecordedProcesses


def repository(folder: Path, code: int = 0, message: str = 'ok') -> tuple[Repository, RecordedProcesses]:
    stanza = {'repo': [{'status': {'code': code, 'message': message}}], 'db': [], 'backup': []}
    processes = RecordedProcesses({'pgbackrest': Ended(0, json.dumps([stanza]))})
    return Repository(processes, folder / 'pgbackrest.conf', 'map-app'), processes


@pytest.mark.parametrize('code', [0, 1, 2])
def test_a_repository_without_backups_is_readable(tmp_path: Path, code: int) -> None:
    contents = repository(tmp_path, code)[0].contents()
    assert (contents.cluster, contents.backups) == (None, [])


def test_a_repository_that_cannot_be_read_is_a_failure_although_pgbackrest_exits_with_0(tmp_path: Path) -> None:
    with pytest.raises(Failure, match='The repository cannot be reached: unable to find a host'):
        repository(tmp_path, 99, '[HostConnectError] unable to find a host')[0].contents()


def test_settings_are_tried_in_a_copy_that_only_root_and_postgres_can_read(tmp_path: Path) -> None:
    tried: list[tuple[str, str]] = []
    found, processes = repository(tmp_path)
    new = tmp_path / 'new'
    new.write_text('[global]')
    real = processes.run

    def run(command: list[str], **options: Any) -> Ended:
        [config] = [Path(word.removeprefix('--config=')) for word in command if word.startswith('--config=')]
        tried.append((config.read_text(), oct(config.stat().st_mode)))
        return real(command, **options)

    before = os.umask(0)
    try:
        with (
            mock.patch.object(processes, 'run', run),
            mock.patch('grp.getgrnam', return_value=mock.Mock(gr_gid=7)),
            mock.patch('os.fchown') as owned,
        ):
            found.try_settings(new)
    finally:
        os.umask(before)
    assert tried == [('[global]', '0o100640')]
    assert owned.call_args.args[1:] == (0, 7)
    assert list(tmp_path.iterdir()) == [new]
