"""Detection of files that changed after the last run."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path

import pytest
from map_app.drift import BY_ITSELF, Drift


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / 'etc'
    folder.mkdir()
    for name in ('changed', 'kept', 'mode', 'gone'):
        (folder / name).write_text(name)
    (folder / 'link').symlink_to('kept')
    return folder


@pytest.fixture
def drift(tmp_path: Path, etc: Path) -> Drift:
    found = Drift(tmp_path / 'record', (str(etc),))
    found.write()
    return found


def test_reports_nothing_without_a_record(tmp_path: Path, etc: Path) -> None:
    assert Drift(tmp_path / 'none', (str(etc),)).compare() == (None, {})


def test_nothing_differs_after_a_run(drift: Drift) -> None:
    recorded, differs = drift.compare()
    assert recorded
    assert recorded.endswith(' UTC')
    assert differs == {}


def test_names_what_was_changed_added_and_removed(drift: Drift, etc: Path) -> None:
    (etc / 'changed').write_text('otherwise')
    (etc / 'mode').chmod(0o600)
    (etc / 'gone').unlink()
    (etc / 'link').unlink()
    (etc / 'link').symlink_to('changed')
    (etc / 'folder').mkdir()
    kinds = {'changed': 'changed', 'folder': 'new', 'gone': 'missing', 'link': 'changed', 'mode': 'changed'}
    assert drift.compare()[1] == {f'{etc}/{name}': kind for name, kind in kinds.items()}


def test_ignores_times(drift: Drift, etc: Path) -> None:
    os.utime(etc / 'kept', (0, 0))
    assert drift.compare()[1] == {}


def test_only_root_can_read_the_record(drift: Drift) -> None:
    assert oct(drift.record.stat().st_mode) == '0o100600'


@pytest.mark.parametrize('path', ['/etc/letsencrypt/live/a/cert.pem', '/etc/ssl/map-app/live', '/etc/passwd-', '/etc/.pwd.lock', '/usr/local/x/__pycache__/y'])
def test_ignores_files_that_change_by_themselves(path: str) -> None:
    assert any(fnmatch(path, pattern) for pattern in BY_ITSELF)
    assert not any(fnmatch('/etc/map-app.d/nginx.json', pattern) for pattern in BY_ITSELF)
