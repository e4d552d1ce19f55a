"""Which releases are kept, which one a rollback goes to, and how they are listed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest
from map_app.deploy import choose_rollback
from map_app.releases import Releases, commit, line


def add(releases: Releases, version: str, kind: str | None = 'good', when: int = 1000, **fields: object) -> None:
    path = releases.path(version)
    path.mkdir(parents=True)
    (path / 'map-app.mjs').touch()
    (path / 'manifest.json').write_text(json.dumps({'commit': f'{version[0] * 40}', 'schema': '0001'}))
    marked = path
    if kind:
        releases.mark(version, 'good' if kind == 'left' else kind, **fields)
        marked = path / ('good' if kind == 'left' else kind)
    if kind == 'left':
        (path / 'left').touch()
    os.utime(marked, (when, when))


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """Three good releases, a to c; the current one is c."""
    found = Releases(tmp_path)
    for index, version in enumerate('abc'):
        add(found, version, when=1000 + index)
    found.point('current', 'c')
    return found


def test_a_link_is_moved_atomically_and_after_a_killed_move(releases: Releases) -> None:
    releases.link('.current').symlink_to('releases/nowhere')
    releases.point('current', 'b')
    assert releases.pointed() == 'b'
    assert not releases.link('.current').is_symlink()


@pytest.mark.parametrize('target', ['releases/none', '/etc'])
def test_a_link_to_a_missing_release_points_to_none(releases: Releases, target: str) -> None:
    releases.link('current').unlink()
    releases.link('current').symlink_to(target)
    assert releases.pointed() is None


def test_a_mark_replaces_the_others(releases: Releases) -> None:
    (releases.path('a') / 'left').touch()
    releases.mark('a', 'bad', reason='slow')
    assert releases.describe('a')['state'] == 'bad'
    assert sorted(path.name for path in releases.path('a').iterdir()) == ['bad', 'manifest.json', 'map-app.mjs']


class TestRollback:
    def test_chooses_the_last_good_release_before_the_current_one(self, releases: Releases) -> None:
        assert choose_rollback(releases, '') == ('b', None)
        releases.point('current', 'b')
        assert choose_rollback(releases, '') == ('a', None)

    def test_skips_bad_unproven_and_left_releases(self, releases: Releases) -> None:
        releases.mark('b', 'bad')
        add(releases, 'x', None, when=1002)
        add(releases, 'y', 'left', when=1001)
        assert choose_rollback(releases, '')[0] == 'a'

    def test_accepts_a_left_release_by_name(self, releases: Releases) -> None:
        add(releases, 'y', 'left')
        assert choose_rollback(releases, 'y') == ('y', None)

    @pytest.mark.parametrize(
        ('wanted', 'kind', 'sentence'),
        [('x', 'bad', 'Release x is marked bad, so'), ('x', None, 'was never marked good'), ('y', 'good', 'There is no release y on this machine.')],
    )
    def test_rejects_other_releases(self, releases: Releases, wanted: str, kind: str | None, sentence: str) -> None:
        add(releases, 'x', kind)
        version, problem = choose_rollback(releases, wanted)
        assert version is None
        assert sentence in (problem or '')

    def test_fails_if_there_is_no_release(self, tmp_path: Path) -> None:
        assert choose_rollback(Releases(tmp_path), '') == (None, 'No good release was deployed before any that serves, so there is none to roll back to.')

    def test_marks_the_later_release_as_left(self, releases: Releases) -> None:
        releases.go_back('b', 'c')
        assert releases.is_left('c')
        releases.go_back('c', 'b')
        assert not releases.is_left('c')
        assert not releases.is_left('b')


class TestRetention:
    def test_keeps_the_configured_number_of_each_kind_and_the_targets_of_links(self, tmp_path: Path) -> None:
        releases = Releases(tmp_path)
        for kind in ('good', 'left', 'bad'):
            for number in range(4):
                add(releases, f'{kind}{number}', kind, when=1000 + number)
        add(releases, 'unproven', None)
        releases.point('current', 'good0')
        releases.point('fallback', 'bad0')
        expected = {'good1', 'left0', 'left1', 'bad1', 'unproven'}
        assert set(releases.superfluous(2)) == expected

    def test_removes_a_release(self, releases: Releases) -> None:
        releases.remove('a')
        assert not releases.path('a').exists()

    def test_an_interrupted_removal_leaves_no_release(self, releases: Releases) -> None:
        with mock.patch('shutil.rmtree', side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            releases.remove('a')
        assert releases.path('a').exists()
        assert not releases.exists('a')

    def test_folders_without_a_program_are_not_releases(self, releases: Releases) -> None:
        (releases.folder / '.incoming').mkdir()
        (releases.path('a') / 'map-app.mjs').unlink()
        assert [one['version'] for one in releases.all()] == ['c', 'b']
        assert releases.superfluous(0) == ['b']


def test_a_line_names_the_operator_the_reason_and_modified_sources(releases: Releases) -> None:
    releases.mark('a', 'bad', who='ann@desk', reason='slow\nmore')
    os.utime(releases.path('a') / 'bad', (0, 0))
    assert line(releases.describe('a')) == 'a  bad       1970-01-01 00:00 UTC  commit aaaaaaaaaaaa  by ann@desk  slow'
    assert line(releases.describe('c')).endswith('  <- current')
    assert commit('b' * 40 + '-modified') == 'bbbbbbbbbbbb-modified'
    assert commit('') == 'unknown'
