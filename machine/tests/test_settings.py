"""Validation of the settings file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from map_app import settings
from map_app.errors import Failure

from .stand_ins import APP


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / 'map-app.json'
    path.write_text(json.dumps({'map_app': APP, 'nginx': {'log_files': ['/var/log/a'], 'log_units': ['nginx']}}))
    path.chmod(0o644)
    owned_by_root(monkeypatch)
    return path


def owned_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as another user: the owner of files counts as root."""
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[4] = 0
        return os.stat_result(found)

    monkeypatch.setattr(os, 'fstat', fstat)


def test_each_role_has_a_section(file: Path) -> None:
    found = settings.read(file)
    assert found.app().workers == ['map-app@1.service', 'map-app@2.service']
    assert found.logs() == settings.Logs(['/var/log/a'], ['map-app@*', 'map-app', 'nginx'])


def test_a_machine_without_the_file_does_not_run_the_api(tmp_path: Path) -> None:
    with pytest.raises(Failure, match='The API is not installed on this machine'):
        settings.read(tmp_path / 'missing').app()


@pytest.mark.parametrize(('name', 'value'), [('workers', 'map-app@1.service'), ('workers', [1]), ('database_is_here', 'no'), ('user', None)])
def test_a_setting_of_another_type_is_named(file: Path, name: str, value: object) -> None:
    file.write_text(json.dumps({'map_app': {**APP, name: value}}))
    with pytest.raises(Failure, match=rf'section map_app, .*: {name}\. Run site\.yml'):
        settings.read(file).app()


def test_settings_of_a_newer_release_are_ignored(file: Path) -> None:
    file.write_text(json.dumps({'map_app': {**APP, 'new': 1}}))
    assert settings.read(file).app().user == 'map-app'


@pytest.mark.parametrize('text', ['', '{', '[]', '{"map_app": []}'])
def test_a_damaged_file_is_rejected(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(Failure, match=r'Run site\.yml'):
        settings.read(file)


@pytest.mark.parametrize('mode', [0o664, 0o646, 0o666])
def test_a_file_that_other_users_can_write_is_rejected(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(Failure, match='not trusted'):
        settings.read(file)


def test_a_file_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'map-app.json'
    path.write_text('{}')
    real = os.fstat
    monkeypatch.setattr(os, 'fstat', lambda descriptor: os.stat_result([*real(descriptor)[:4], 1000, *real(descriptor)[5:10]]))
    with pytest.raises(Failure, match='not trusted'):
        settings.read(path)


def test_a_program_newer_than_the_file_still_starts_the_workers(file: Path) -> None:
    needed = ('service', 'socket', 'workers', 'worker_pattern')
    file.write_text(json.dumps({'map_app': {name: APP[name] for name in needed}}))
    assert settings.read(file).service().workers == APP['workers']
    with pytest.raises(Failure, match='missing or have the wrong type'):
        settings.read(file).app()
