"""The module that writes the files of a role."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from plugins.modules import machine_files


def play(capsys: pytest.CaptureFixture[str], *entries: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Returns the result of the module. The files belong to the user of the test."""
    owned = [{'owner': str(os.getuid()), 'group': str(os.getgid()), **entry, 'path': str(entry['path'])} for entry in entries]
    umask = os.umask(0o022)
    try:
        with patch_module_args({'files': owned, '_ansible_check_mode': check, '_ansible_diff': True}), pytest.raises(SystemExit):
            machine_files.main()
    finally:
        os.umask(umask)
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_writes_only_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same, other, folder, link = tmp_path / 'same', tmp_path / 'other', tmp_path / 'a' / 'b', tmp_path / 'link'
    entries: list[dict[str, Any]] = [
        {'path': same, 'content': 'same\r\n'},
        {'path': other, 'content': 'new\n', 'mode': '0600'},
        {'path': folder, 'state': 'directory'},
        {'path': folder / 'inside', 'content': ''},
        {'path': link, 'state': 'link', 'target': 'missing'},
        {'path': tmp_path / 'gone', 'state': 'absent'},
    ]
    same.write_bytes(b'same\r\n')
    same.chmod(0o644)
    other.write_text('old\n')
    other.chmod(0o644)
    (tmp_path / 'gone').symlink_to('nowhere')
    expected = [str(entry['path']) for entry in entries[1:]]
    inode = same.stat().st_ino

    predicted = play(capsys, *entries, check=True)
    assert predicted['paths'] == expected
    assert other.read_text() == 'old\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['gone', 'other', 'same']

    result = play(capsys, *entries)
    assert (result['changed'], result['paths']) == (True, expected)
    assert {'before': 'old\n', 'after': 'new\n', 'before_header': str(other), 'after_header': str(other)} in result['diff']
    assert (same.stat().st_ino, other.read_text(), os.readlink(link)) == (inode, 'new\n', 'missing')
    assert [mode(path) for path in (same, other, folder.parent, folder, folder / 'inside')] == [0o644, 0o600, 0o755, 0o755, 0o644]
    assert not (tmp_path / 'gone').is_symlink()
    again = play(capsys, *entries)
    assert (again['changed'], again['paths'], again['diff']) == (False, [], [])


def test_restores_a_mode_and_replaces_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / 'file', tmp_path / 'target'
    path.write_text('x')
    path.chmod(0o666)
    assert play(capsys, {'path': path, 'content': 'x'})['paths'] == [str(path)]
    assert mode(path) == 0o644
    path.rename(target)
    path.symlink_to(target)
    assert play(capsys, {'path': path, 'content': 'x'})['paths'] == [str(path)]
    assert not path.is_symlink()


def test_owned_changes_only_what_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there, missing = tmp_path / 'there', tmp_path / 'missing'
    there.mkdir(mode=0o700)
    result = play(capsys, *({'path': path, 'state': 'owned', 'mode': '0755'} for path in (there, missing)))
    assert (result['paths'], result['missing'], mode(there)) == ([str(there)], [str(missing)], 0o755)
    assert not missing.exists()


def test_invalid_content_replaces_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'file'
    path.write_text('old')
    result = play(capsys, {'path': path, 'content': 'new', 'validate': "sh -c 'echo broken >&2; grep -q old $0' %s"})
    assert result['failed']
    assert result['msg'] == f'The new content of {path} is invalid, so the file was not changed: broken'
    assert path.read_text() == 'old'


@pytest.mark.parametrize('state', ['file', 'link', 'absent'])
def test_a_folder_in_the_way_is_kept(state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(capsys, {'path': tmp_path, 'state': state, 'target': 'x'})['failed']
    assert tmp_path.is_dir()


def test_does_not_show_the_content_of_secret_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'key'
    path.write_text('old')
    entry = {'path': path, 'content': 'new', 'mode': '0600', 'secret': True}
    for check in (True, False):
        result = play(capsys, entry, check=check)
        assert result['paths'] == [str(path)]
        assert 'new' not in json.dumps(result['diff'])
        assert 'old' not in json.dumps(result['diff'])
    assert (path.read_text(), mode(path)) == ('new', 0o600)
    assert play(capsys, entry)['changed'] is False


def test_keeps_the_previous_file_as_a_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, backup = tmp_path / 'sshd.conf', tmp_path / 'before'
    backup.write_text('of an earlier change')
    play(capsys, {'path': path, 'content': 'first', 'backup': str(backup)}, check=True)
    assert backup.exists()
    play(capsys, {'path': path, 'content': 'first', 'backup': str(backup)})
    assert not backup.exists()
    for content in ('second', 'second'):
        play(capsys, {'path': path, 'content': content, 'backup': str(backup)})
        assert (path.read_text(), backup.read_text()) == ('second', 'first')
