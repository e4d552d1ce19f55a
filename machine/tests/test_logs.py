"""What `map-app logs` prints."""

from __future__ import annotations

import pytest
from map_app import logs
from map_app.journal import Journal
from map_app.settings import Logs

from .stand_ins import RecordedProcesses

BOTH = Logs(['/var/log/nginx/access.log', '/var/log/nginx/error.log'], ['map-app@*', 'nginx'])


@pytest.mark.parametrize(
    ('line', 'printed'),
    [
        (b'Z\xc3\xbcrich\t\x1b]0;title\x07 \xc2\x9b end\n', b'Z\xc3\xbcrich\t?]0;title? ? end\n'),
        (b'\x00\x08\x0b\x1f\x7f\n', b'?????\n'),
        (b'\xc2\x80\xc2\x9f\xc2\xa0\n', b'??\xc2\xa0\n'),
    ],
)
def test_no_control_character_reaches_the_terminal(line: bytes, printed: bytes) -> None:
    assert logs.without_control_characters(line) == printed


def show(settings: Logs, follow: bool = False) -> list[str]:
    processes = RecordedProcesses()
    assert logs.show(settings, processes, Journal(processes), 20, follow) == 0
    return processes.texts


def test_prints_the_last_lines_of_files_and_units() -> None:
    assert show(BOTH) == [
        'tail --quiet --lines=20 /var/log/nginx/access.log /var/log/nginx/error.log',
        'journalctl --no-pager --no-hostname --lines=20 --unit=map-app@* --unit=nginx',
    ]


def test_follows_files_and_units_at_once() -> None:
    assert show(BOTH, follow=True) == [
        'tail --quiet --lines=20 --follow=name /var/log/nginx/access.log /var/log/nginx/error.log &',
        'journalctl --no-pager --no-hostname --lines=20 --follow --unit=map-app@* --unit=nginx',
    ]


def test_a_machine_without_a_web_server_has_units_only() -> None:
    assert [text.split()[0] for text in show(Logs([], ['map-app']))] == ['journalctl']


def test_a_machine_without_units_prints_files_only() -> None:
    assert [text.split()[0] for text in show(Logs(['/var/log/a'], []))] == ['tail']
