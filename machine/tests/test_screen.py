"""The screen of a machine's state."""

from __future__ import annotations

from typing import Any

import pytest
from map_app import screen

NOW = 1_795_700_000
STATUS: dict[str, Any] = {
    'now': NOW,
    'release': {'version': 'a', 'commit': 'b' * 40 + '-modified', 'since': NOW - 90},
    'workers': {
        'map-app@1.service': {'state': 'active', 'since': NOW - 5, 'bytes': 150e6, 'restarts': 2, 'says': 'Serving'},
        'map-app@2.service': {'state': 'failed', 'since': None, 'bytes': None, 'restarts': 0, 'says': None},
    },
    'units': {'nginx.service': {'state': 'active', 'since': NOW - 7200}, 'map-app.socket': {'state': 'inactive', 'since': None}},
    'certificate': {'days': 60, 'placeholder': True, 'names': []},
    'closed': None,
    'firewall': {'others': ['inet stranger']},
    'strays': [],
    'backup': {'local_only': False, 'repository': 'sftp backups', 'backup': {'last_good': 'yesterday'}, 'drill': None},
    'disk': {'/': {'bytes': 20e9, 'free': 5e9}},
    'failed': [],
    'reboot': 'for linux',
    'drift': {'recorded': 'then', 'differs': {f'/etc/{number}': 'new' for number in range(7)}},
}


def test_has_a_line_for_each_part_and_problem() -> None:
    assert screen.screen(STATUS, ['The disk is full.']) == [
        '  release            a (commit bbbbbbbbbb-modified), since 2026-11-26 13:31 UTC, 1 min',
        '  map-app@1          up 5 s, 150 MB, restarted 2 times automatically, "Serving"',
        '  map-app@2          failed',
        '  nginx              active, 2 h',
        '  map-app.socket     inactive',
        '  certificate        60 days left (the placeholder: browsers warn about it)',
        '  firewall           tables that site.yml does not manage: inet stranger',
        '  backup             last good yesterday, sftp backups',
        '  restore drill      none yet',
        '  disk               / 5000 MB of 20 GB left',
        '  failed units       none',
        '  reboot             pending for linux',
        '  drift              /etc/0 (new), /etc/1 (new), /etc/2 (new), /etc/3 (new), /etc/4 (new), and 2 more since the run of then',
        '  PROBLEM            The disk is full.',
    ]


def test_an_unreadable_state_shows_only_problems() -> None:
    assert screen.screen(None, ['It cannot be reached.']) == ['  PROBLEM            It cannot be reached.']


@pytest.mark.parametrize(('problems', 'words'), [([], 'all is well'), (['a'], '1 problem'), (['a', 'b'], '2 problems')])
def test_the_first_line_counts_the_problems(problems: list[str], words: str) -> None:
    assert screen.verdict(problems) == words


@pytest.mark.parametrize(('seconds', 'words'), [(-1, '0 s'), (59, '59 s'), (60, '1 min'), (3600, '1 h'), (86_400 * 3, '3 d')])
def test_ages(seconds: int, words: str) -> None:
    assert screen.age(seconds) == words
