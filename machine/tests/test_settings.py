"""Validation of the settings files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from map_app import settings
from map_app.errors import Failure

from .stand_ins import APP


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of two roles."""
    write(tmp_path, 'map_app', APP)
    write(tmp_path, 'nginx', {'log_files': ['/var/log/a'], 'log_units': ['nginx']})
    owned_by_root(monkeypatch)
    return tmp_path


def write(folder: Path, role: str, values: object) -> Path:
    path = folder / f'{role}.json'
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    path.chmod(0o644)
    return path


def read(folder: Path) -> settings.Settings:
    return settings.read(folder, folder / 'former')


def owned_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as another user: the owner of files counts as root."""
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[4] = 0
        return os.stat_result(found)

    monkeypatch.setattr(os, 'fstat', fstat)


def test_each_role_has_a_section(folder: Path) -> None:
    found = read(folder)
    assert found.app().workers == ['map-app@1.service', 'map-app@2.service']
    assert found.logs() == settings.Logs(['/var/log/a'], ['map-app@*', 'map-app', 'nginx'])


def test_a_machine_without_the_files_does_not_run_the_api(tmp_path: Path) -> None:
    with pytest.raises(Failure, match='The API is not installed on this machine'):
        read(tmp_path / 'missing').app()


@pytest.mark.parametrize(('name', 'value'), [('workers', 'map-app@1.service'), ('workers', [1]), ('database_is_here', 'no'), ('user', None)])
def test_a_setting_of_another_type_is_named(folder: Path, name: str, value: object) -> None:
    write(folder, 'map_app', {**APP, name: value})
    with pytest.raises(Failure, match=rf'/map_app\.json, .*: {name}\. Run site\.yml'):
        read(folder).app()


def test_settings_of_a_newer_release_are_ignored(folder: Path) -> None:
    write(folder, 'map_app', {**APP, 'new': 1})
    assert read(folder).app().user == 'map-app'


@pytest.mark.parametrize('name', ['nginx.json', 'former'])
@pytest.mark.parametrize('text', ['', '{', '[]'])
def test_a_damaged_file_is_rejected(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(Failure, match=r'Remove it, then run site\.yml'):
        read(folder)


@pytest.mark.parametrize('mode', [0o664, 0o646, 0o666])
def test_a_file_that_other_users_can_write_is_rejected(folder: Path, mode: int) -> None:
    (folder / 'nginx.json').chmod(mode)
    with pytest.raises(Failure, match='not trusted'):
        read(folder)


def test_a_file_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'nginx', {})
    real = os.fstat
    monkeypatch.setattr(os, 'fstat', lambda descriptor: os.stat_result([*real(descriptor)[:4], 1000, *real(descriptor)[5:10]]))
    with pytest.raises(Failure, match='not trusted'):
        read(tmp_path)


def test_a_program_newer_than_the_file_still_starts_the_workers(folder: Path) -> None:
    needed = ('service', 'socket', 'workers', 'worker_pattern')
    write(folder, 'map_app', {name: APP[name] for name in needed})
    assert read(folder).service().workers == APP['workers']
    with pytest.raises(Failure, match='missing or have the wrong type'):
        read(folder).app()


class TestTheFileOfFormerReleases:
    """It has a section for each role."""

    def test_is_read_for_the_roles_that_have_no_file_yet(self, folder: Path) -> None:
        former = folder / 'former'
        former.write_text(json.dumps({'nginx': {'units': ['former.service']}, 'firewall': {'rules': '/etc/firewall.nft'}}))
        found = read(folder)
        assert (found.firewall_rules(), found.units()) == ('/etc/firewall.nft', APP['units'])
        assert former.exists()

    def test_is_removed_when_each_role_has_a_file(self, folder: Path) -> None:
        former = folder / 'former'
        former.write_text(json.dumps({'nginx': {}, 'map_app': {}}))
        assert read(folder).app().user == 'map-app'
        assert not former.exists()

    def test_is_rejected_if_a_section_is_not_an_object(self, folder: Path) -> None:
        (folder / 'former').write_text('{"firewall": []}')
        with pytest.raises(Failure, match=r'Remove it, then run site\.yml'):
            read(folder)
