"""Finds configuration files that changed after the last run of site.yml."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from . import screen
from .files import write_atomically

# Its existence also shows that site.yml has completed.
RECORD = Path('/var/lib/map-app-baseline.json')
FOLDERS = ('/etc', '/usr/local')
# Files that change by themselves: certificates and their renewal, name servers from the network, and state of system tools in /etc.
BY_ITSELF = (
    '/etc/letsencrypt*',
    '/etc/ssl/map-app*',
    '/etc/resolv.conf',
    '/etc/mtab',
    '/etc/adjtime',
    '/etc/ld.so.cache',
    '/etc/.pwd.lock',
    '/etc/*.lock',
    '/etc/*-',
    '*/__pycache__*',
)

Files = dict[str, str]


def describe(path: str) -> str:
    """Returns the compared properties of one file: owner, mode, and the target of a link or the digest of a file."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return 'link to ' + os.readlink(path)
    content = ''
    if stat.S_ISREG(found.st_mode):
        with open(path, 'rb') as file:
            content = hashlib.file_digest(file, 'sha256').hexdigest()
    return f'{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {content}'


class Drift:
    def __init__(self, record: Path = RECORD, folders: tuple[str, ...] = FOLDERS) -> None:
        self.record = record
        self.folders = folders

    def walk(self) -> Iterator[str]:
        for top in self.folders:
            for folder, folders, files in os.walk(top):
                for name in folders + files:
                    yield os.path.join(folder, name)

    def now(self) -> Files:
        found = {}
        for path in self.walk():
            if not any(fnmatch(path, pattern) for pattern in BY_ITSELF):
                try:
                    found[path] = describe(path)
                except FileNotFoundError:
                    # Deleted while the other files were read.
                    continue
        return found

    def write(self) -> None:
        """Records the current files. The record is replaced atomically, so that an interrupted run leaves no partial one."""
        record = {'recorded': screen.moment(time.time()), 'files': self.now()}
        write_atomically(self.record, json.dumps(record), 0o600)

    def compare(self) -> tuple[str | None, Files]:
        """
        Returns when the record was made (UTC), or None, and each path that differs with how: `changed`, `missing` or `new`.
        """
        try:
            record = json.loads(self.record.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None, {}
        return record['recorded'], difference(record['files'], self.now())


def difference(before: Files, now: Files) -> Files:
    kinds = {path: 'new' if path not in before else 'changed' for path in now if now[path] != before.get(path)}
    kinds.update({path: 'missing' for path in before if path not in now})
    return dict(sorted(kinds.items()))
