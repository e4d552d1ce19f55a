"""Accesses the backup repository through pgBackRest."""

from __future__ import annotations

import grp
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import Failure
from ..processes import Processes
from .database import ENVIRONMENT

# The folder with a backup's companion files. It is inside the cluster's folder, and exists only while the backup is taken.
COMPANIONS = 'map-app-backup'
# The companion files: the archive of the certificates, the portable dump, and the measurements of the dump.
CERTIFICATES, DUMP, MEASURE = 'certificates.sealed', 'map-app.dump', 'measure.json'

FULL = 'The repository is full, or PostgreSQL cannot write to it (its journal says why)'
# Patterns of pgBackRest's error messages, and their meanings. Other messages are passed on unchanged.
MEANINGS = {
    r'key/value found outside of section|CryptoError': 'backup_cipher_pass does not decrypt the repository. Set it to the passphrase with which the repository was created.',
    r'was not archived before|No space left|FileWriteError': FULL,
    r'ServiceError|HostConnectError|libssh2|timeout': 'The repository cannot be reached',
}


@dataclass(frozen=True)
class Backup:
    label: str
    # When the backup ended. A restore of it gives the state at this time or a later one.
    at: datetime
    # The size of the restored cluster in bytes.
    size: int
    # The major version of PostgreSQL.
    version: int


@dataclass(frozen=True)
class Contents:
    # The system identifier of the cluster that the repository belongs to; None if it does not belong to one yet.
    cluster: int | None
    # Oldest first.
    backups: list[Backup]


class Repository:
    """
    @param settings: the file with pgBackRest's settings
    @param stanza: pgBackRest's name for the cluster
    """

    def __init__(self, processes: Processes, settings: Path, stanza: str) -> None:
        self.processes = processes
        self.settings = settings
        self.stanza = stanza

    def pgbackrest(self, command: str, *options: str) -> str:
        """Runs a command of pgBackRest as PostgreSQL's user and returns its output. Throws a Failure with its error message."""
        arguments = ['pgbackrest', f'--stanza={self.stanza}', '--log-level-console=off', '--log-level-stderr=error', *options]
        ended = self.processes.run([*arguments, command], user='postgres', environment=ENVIRONMENT)
        if ended.status != 0:
            # pgBackRest prints errors in its options to stdout, because it has not yet read where to log.
            raise Failure(explain(ended.errors.strip() or ended.output, command))
        return ended.output

    def try_settings(self, file: Path) -> None:
        """Throws if pgBackRest cannot read the repository with the settings in `file`, which belongs to root. The current settings stay in use."""
        tried = self.settings.with_suffix('.tried')
        tried.unlink(missing_ok=True)
        try:
            # In a folder of root, readable by postgres.
            descriptor = os.open(tried, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
            with open(descriptor, 'wb') as copy:
                os.fchown(descriptor, 0, grp.getgrnam('postgres').gr_gid)
                copy.write(file.read_bytes())
            self.contents(f'--config={tried}')
        finally:
            tried.unlink()

    def contents(self, *options: str) -> Contents:
        """Returns the contents of the repository. Throws if it cannot be read."""
        # Not strict, because an error message may contain control characters of data that could not be decrypted.
        [stanza] = json.loads(self.pgbackrest('info', '--output=json', *options), strict=False)
        # 1: no stanza, 2: no backup yet; both are allowed. pgBackRest exits with 0 even if it cannot read the repository.
        status = stanza['repo'][0]['status']
        if status['code'] not in (0, 1, 2):
            raise Failure(explain(status['message'], 'info'))
        databases = {database['id']: database for database in stanza['db']}
        backups = [
            Backup(
                label=backup['label'],
                at=datetime.fromtimestamp(backup['timestamp']['stop'], UTC),
                size=backup['info']['size'],
                version=int(databases[backup['database']['id']]['version']),
            )
            for backup in stanza['backup']
            if not backup.get('error')
        ]
        return Contents(stanza['db'][-1]['system-id'] if stanza['db'] else None, backups)


def explain(complaint: str, command: str) -> str:
    """Returns one sentence for an error message of pgBackRest."""
    first = re.sub(r'^(.*?ERROR: \[\d+\]: |\[\w+\] )', '', complaint.strip(), flags=re.DOTALL).split('\n')[0]
    for pattern, meaning in MEANINGS.items():
        # A restore writes only to this machine, never to the repository.
        if re.search(pattern, complaint, re.IGNORECASE) and not (meaning is FULL and command == 'restore'):
            return meaning if meaning.endswith('.') else f'{meaning}: {first}'
    return f'pgBackRest: {first or f"{command} failed and printed no error"}'
