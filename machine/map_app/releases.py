"""The releases on a machine, with their states, and the one that serves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from . import screen
from .files import write_atomically
from .release_command import PROGRAM

Fields = dict[str, Any]
KINDS = ('good', 'left', 'bad')


class Releases:
    """
    Each is a folder below releases/. The link `current` names the one that serves, `fallback` the one that served well before it.
    A file `good` or `bad` in a release records the result, the operator, and the reason of a bad one. A release without either
    was never tried, or its run was interrupted. A file `left` marks a good release that a rollback replaced by an earlier one.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / 'releases'

    def path(self, version: str) -> Path:
        return self.folder / version

    def link(self, name: str) -> Path:
        return self.home / name

    def exists(self, version: str) -> bool:
        return (self.path(version) / PROGRAM).is_file()

    def pointed(self, name: str = 'current') -> str | None:
        """Returns the version that a link points to, or None if there is no such link or release."""
        try:
            version = Path(os.readlink(self.link(name))).name
        except OSError:
            return None
        return version if self.exists(version) else None

    def point(self, name: str, version: str) -> None:
        """Moves a link atomically: it always points to one of the two."""
        new = self.link(f'.{name}')
        new.unlink(missing_ok=True)
        new.symlink_to(Path('releases', version))
        new.replace(self.link(name))

    def written(self, name: str = 'current') -> float:
        """Returns when a link was made, in seconds since 1970."""
        return self.link(name).lstat().st_mtime

    def date(self, name: str, moment: float) -> None:
        """Sets the time of a link. Workers that started before it count as older than what it points to."""
        os.utime(self.link(name), (moment, moment), follow_symlinks=False)

    def mark(self, version: str, kind: str, **fields: object) -> None:
        """Marks a release as `good` or `bad`, and removes its former mark."""
        write_atomically(self.path(version) / kind, json.dumps(fields))
        for other in {*KINDS} - {kind}:
            self.unmark(version, other)

    def unmark(self, version: str, kind: str) -> None:
        (self.path(version) / kind).unlink(missing_ok=True)

    def go_back(self, version: str, before: str | None) -> None:
        """Records which of two good releases an operator preferred. The later one is not deployed again automatically."""
        self.unmark(version, 'left')
        if before and self.is_good(before) and self.describe(version)['when'] < self.describe(before)['when']:
            (self.path(before) / 'left').touch()

    def is_good(self, version: str | None) -> bool:
        return version is not None and (self.path(version) / 'good').exists()

    def is_left(self, version: str) -> bool:
        return (self.path(version) / 'left').exists()

    def manifest(self, version: str) -> Fields:
        return read(self.path(version) / 'manifest.json')

    def describe(self, version: str) -> Fields:
        """Returns the state of a release. `when` is the time of its mark in seconds since 1970, or of its folder without a mark."""
        path = self.path(version)
        state = next((kind for kind in ('bad', 'left', 'good') if (path / kind).exists()), 'unproven')
        marked = path if state == 'unproven' else path / ('good' if state == 'left' else state)
        return {
            'version': version,
            'state': state,
            'when': marked.lstat().st_mtime,
            'current': version == self.pointed(),
            **{key: self.manifest(version).get(key, '') for key in ('commit', 'schema')},
            **({} if state == 'unproven' else read(marked)),
        }

    def all(self) -> list[Fields]:
        """Returns all releases, the last marked one first."""
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return sorted((self.describe(name) for name in names if self.exists(name)), key=lambda one: float(one['when']), reverse=True)

    def good_before_current(self) -> str | None:
        """Returns the release to roll back to: good, deployed before the one that serves, and not left by a rollback. None if there is none."""
        everything = self.all()
        now = next((one['when'] for one in everything if one['current']), None)
        older = (str(one['version']) for one in everything if now is not None and one['state'] == 'good' and one['when'] < now)
        return next(older, None)

    def superfluous(self, kept: int) -> list[str]:
        """Returns the removable releases: all except the last good, left and bad ones, and those that a link points to."""
        everything = self.all()
        stay = {self.pointed('current'), self.pointed('fallback')}
        for kind in KINDS:
            stay.update([one['version'] for one in everything if one['state'] == kind][:kept])
        return [one['version'] for one in everything if one['version'] not in stay]

    def remove(self, version: str) -> None:
        """Removes a release, its program first, so that an interrupted removal leaves no folder that counts as a release."""
        (self.path(version) / PROGRAM).unlink()
        shutil.rmtree(self.path(version))


def read(path: Path) -> Fields:
    try:
        found: Fields = json.loads(path.read_text(encoding='utf-8') or '{}')
    except FileNotFoundError:
        return {}
    return found


def line(one: Fields) -> str:
    """Formats one release: version, state, time of deployment, commit and operator."""
    what = f'{one["version"]}  {one["state"]:8}  {screen.moment(one["when"])}  commit {commit(one["commit"])}  by {one.get("who", "unknown")}'
    return what + (f'  {one["reason"].splitlines()[0]}' if one.get('reason') else '') + ('  <- current' if one['current'] else '')


def commit(name: str) -> str:
    """Returns the first digits of a commit, and whether uncommitted files were built into the release (-modified)."""
    digits, dash, modified = name.partition('-')
    return (digits[:12] or 'unknown') + dash + modified
