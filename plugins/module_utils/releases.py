"""The releases on a machine: which there are, what became of each, and which one serves."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime


class Releases:
    """
    Each is a folder below releases/. The link `current` names the one that serves, `fallback` the one that served well before it.
    A file `good` or `bad` in a release says how it did, by whom it was deployed, and why it is bad. One without either was
    never tried or its run was cut short. A file `left` says that a rollback left a good one for one before it.
    """

    def __init__(self, home):
        self.home = home
        self.folder = os.path.join(home, 'releases')

    def path(self, version):
        return os.path.join(self.folder, version)

    def link(self, name):
        return os.path.join(self.home, name)

    def exists(self, version):
        return os.path.isfile(os.path.join(self.path(version), 'map-app.mjs'))

    def pointed(self, name='current'):
        """The version that a link points to, or None where there is no such link or release."""
        try:
            version = os.path.basename(os.readlink(self.link(name)))
        except OSError:
            return None
        return version if self.exists(version) else None

    def point(self, name, version):
        """Move a link at once: it points to the one or to the other, never to nothing."""
        new = self.link(f'.{name}')
        if os.path.lexists(new):
            os.unlink(new)
        os.symlink(os.path.join('releases', version), new)
        os.rename(new, self.link(name))

    def written(self, name='current'):
        return os.lstat(self.link(name)).st_mtime

    def date(self, name, moment):
        """Set the time of a link. Workers that started before it count as older than what it points to."""
        os.utime(self.link(name), (moment, moment), follow_symlinks=False)

    def mark(self, version, kind, **fields):
        """Say that a release is `good` or `bad`, in place of what was said before."""
        path = os.path.join(self.path(version), kind)
        with open(path + '.new', 'w', encoding='utf-8') as file:
            json.dump(fields, file)
            os.fsync(file.fileno())
        os.rename(path + '.new', path)
        for other in {'good', 'bad', 'left'} - {kind}:
            self.unmark(version, other)

    def unmark(self, version, kind):
        if os.path.exists(path := os.path.join(self.path(version), kind)):
            os.unlink(path)

    def go_back(self, version, before):
        """Remember which of two good releases somebody preferred: the later one is not gone back to by itself."""
        self.unmark(version, 'left')
        if self.is_good(before) and self.describe(version)['when'] < self.describe(before)['when']:
            open(os.path.join(self.path(before), 'left'), 'w').close()

    def is_good(self, version):
        return version is not None and os.path.exists(os.path.join(self.path(version), 'good'))

    def is_left(self, version):
        return os.path.exists(os.path.join(self.path(version), 'left'))

    def manifest(self, version):
        return read(os.path.join(self.path(version), 'manifest.json'))

    def describe(self, version):
        """What is known of a release; `when` is the moment of its mark in seconds since 1970, or that of its folder without one."""
        path = self.path(version)
        state = next((kind for kind in ('bad', 'left', 'good') if os.path.exists(os.path.join(path, kind))), 'unproven')
        kind = 'good' if state == 'left' else state
        marked = path if kind == 'unproven' else os.path.join(path, kind)
        return {
            'version': version,
            'state': state,
            'when': os.lstat(marked).st_mtime,
            'current': version == self.pointed(),
            **{key: self.manifest(version).get(key, '') for key in ('commit', 'schema')},
            **({} if kind == 'unproven' else read(marked)),
        }

    def all(self):
        """All of them, the one that was marked last first."""
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        return sorted((self.describe(name) for name in names if self.exists(name)), key=lambda one: one['when'], reverse=True)

    def good_before_current(self):
        """The release to roll back to: good, deployed before the one that serves, and not left by a rollback. None where there is none."""
        everything = self.all()
        now = next((one['when'] for one in everything if one['current']), None)
        older = (one['version'] for one in everything if now is not None and one['state'] == 'good' and one['when'] < now)
        return next(older, None)

    def superfluous(self, kept):
        """What may be removed: all but the last good ones, as many that were left, as many of the bad, and whatever a link points to."""
        everything = self.all()
        pointed = {self.pointed('current'), self.pointed('fallback')}
        stay = [one['version'] for kind in ('good', 'left', 'bad') for one in [one for one in everything if one['state'] == kind][:kept]]
        return [one['version'] for one in everything if one['version'] not in pointed.union(stay)]

    def remove(self, version):
        """The program first, so that what a killed run leaves is no release any more."""
        os.unlink(os.path.join(self.path(version), 'map-app.mjs'))
        shutil.rmtree(self.path(version))


def read(path):
    try:
        with open(path, encoding='utf-8') as file:
            return json.loads(file.read() or '{}')
    except FileNotFoundError:
        return {}


def utc(moment):
    return datetime.fromtimestamp(moment, UTC).strftime('%Y-%m-%d %H:%M UTC')
