"""Closing the site to visitors and opening it."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from map_app.errors import Failure
from map_app.maintenance import Maintenance
from map_app.settings import Nginx


@pytest.fixture
def maintenance(tmp_path: Path) -> Maintenance:
    return Maintenance(Nginx('map.example.org', '/none', str(tmp_path), str(tmp_path / 'closed')), mock.Mock())


def notes(maintenance: Maintenance) -> list[str]:
    return [call.args[0] for call in maintenance.audit.note.call_args_list]  # type: ignore[attr-defined]


def test_closes_the_site_with_the_text_and_opens_it(maintenance: Maintenance) -> None:
    assert maintenance.close(' Zurück um <neun> ', check=False)
    assert maintenance.closed.exists()
    assert json.loads((maintenance.folder / 'answer.json').read_text()) == {'success': False, 'message': 'Zurück um <neun>'}
    assert '<p>Zurück um &lt;neun&gt;</p>' in (maintenance.folder / 'page.html').read_text()
    assert maintenance.open(check=False)
    assert not maintenance.closed.exists()
    assert notes(maintenance) == ['maintenance on', 'maintenance off']


def test_closing_again_changes_nothing_unless_the_text_differs(maintenance: Maintenance) -> None:
    maintenance.close('a', check=False)
    assert not maintenance.close('a', check=False)
    assert maintenance.close('b', check=False)
    maintenance.open(check=False)
    assert not maintenance.open(check=False)
    assert notes(maintenance) == ['maintenance on', 'maintenance on', 'maintenance off']


def test_a_check_changes_nothing(maintenance: Maintenance) -> None:
    assert maintenance.close('a', check=True)
    assert list(maintenance.folder.iterdir()) == []
    maintenance.close('a', check=False)
    assert maintenance.open(check=True)
    assert maintenance.closed.exists()


def test_the_text_is_written_before_the_site_closes(maintenance: Maintenance) -> None:
    with mock.patch('map_app.maintenance.write_atomically') as write:
        maintenance.close('a', check=False)
    assert [call.args[0].name for call in write.call_args_list] == ['answer.json', 'page.html', 'closed']


def test_nginx_can_read_the_files(maintenance: Maintenance) -> None:
    maintenance.close('a', check=False)
    assert {oct(path.stat().st_mode) for path in maintenance.folder.iterdir()} == {'0o100644'}


@pytest.mark.parametrize('text', ['', '  '])
def test_rejects_an_empty_text(maintenance: Maintenance, text: str) -> None:
    with pytest.raises(Failure, match='The text for visitors is empty'):
        maintenance.close(text, check=False)


def test_rejects_an_nginx_that_cannot_close_the_site(maintenance: Maintenance) -> None:
    maintenance.folder.rmdir()
    with pytest.raises(Failure, match=r'Run site\.yml first'):
        maintenance.close('a', check=False)
