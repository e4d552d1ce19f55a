"""The repository of backups, by way of pgBackRest."""

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

# What a backup holds beside the cluster's own files: a folder in the cluster's folder, which exists for that backup alone.
BESIDE = 'map-app-backup'
# In it, the archive of the certificates, the portable dump and the measure of what is in the dump.
CERTIFICATES, DUMP, MEASURE = 'certificates.sealed', 'map-app.dump', 'measure.json'

FULL = 'The repository is full, or PostgreSQL cannot write to it (its journal says why)'
# What pgBackRest says, and what it means here. What fits none of these is passed on as it is.
MEANINGS = {
    r'key/value found outside of section|CryptoError': 'The repository does not open with this backup_cipher_pass: use the one it was made with.',
    r'was not archived before|No space left|FileWriteError': FULL,
    r'ServiceError|HostConnectError|libssh2|timeout': 'The repository cannot be reached',
}


@dataclass(frozen=True)
class Backup:
    label: str
    # When it ended: what it holds is no older.
    at: datetime
    # Bytes of the cluster it restores to.
    size: int
    # The major version of PostgreSQL.
    version: int


@dataclass(frozen=True)
class Contents:
    # The cluster the repository belongs to, as PostgreSQL numbers it; None if it belongs to none yet.
    cluster: int | None
    # The oldest first.
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
        """Runs a command of pgBackRest as PostgreSQL's user and returns its output. Its complaint becomes a Failure."""
        arguments = ['pgbackrest', f'--stanza={self.stanza}', '--log-level-console=off', '--log-level-stderr=error', *options]
        ended = self.processes.run([*arguments, command], user='postgres', environment=ENVIRONMENT)
        if ended.status != 0:
            # pgBackRest prints errors in its options to stdout, because it has not yet read where to log.
            raise Failure(explain(ended.errors.strip() or ended.output, command))
        return ended.output

    def try_settings(self, file: Path) -> None:
        """Throws if pgBackRest settings, in a file of root, cannot read the repository. The current settings stay in use."""
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
        """Returns what the repository holds. Throws if it cannot be read."""
        # A message may contain what could not be decrypted.
        [stanza] = json.loads(self.pgbackrest('info', '--output=json', *options), strict=False)
        # 1: no stanza, 2: no backup yet; both may be. pgBackRest counts what it cannot read as no failure of its own.
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
    """Returns one sentence for what pgBackRest complains of."""
    first = re.sub(r'^(.*?ERROR: \[\d+\]: |\[\w+\] )', '', complaint.strip(), flags=re.DOTALL).split('\n')[0]
    for pattern, meaning in MEANINGS.items():
        # A restore writes to this machine alone.
        if re.search(pattern, complaint, re.IGNORECASE) and not (meaning is FULL and command == 'restore'):
            return meaning if meaning.endswith('.') else f'{meaning}: {first}'
    return f'pgBackRest: {first or f"{command} failed and printed no error"}'
