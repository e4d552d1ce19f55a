"""The repository of backups, by way of pgBackRest."""

from __future__ import annotations

import grp
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from system import Refusal, run

STANZA = 'map-app'
SETTINGS = Path('/etc/pgbackrest/pgbackrest.conf')
# What a backup holds beside the cluster's own files: a folder in the cluster's folder, which is there for that backup alone.
BESIDE = 'map-app-backup'
# In it, the archive of the certificates.
CERTIFICATES = 'certificates.sealed'

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
    version: int


@dataclass(frozen=True)
class Contents:
    # The cluster the repository belongs to, as PostgreSQL numbers it; None where it belongs to none yet.
    cluster: int | None
    version: int | None
    # The oldest first.
    backups: list[Backup]


def pgbackrest(command, *options):
    """Runs a command of pgBackRest as PostgreSQL's user. Its complaint becomes a Refusal."""
    arguments = ['pgbackrest', f'--stanza={STANZA}', '--log-level-console=off', '--log-level-stderr=error', *options]
    result = run([*arguments, command], user='postgres', check=False)
    if result.returncode:
        # pgBackRest prints errors in its options to stdout, because it has not yet read where to log.
        raise Refusal(explain(result.stderr.strip() or result.stdout, command))
    return result


def explain(complaint, command='info'):
    """One sentence for what pgBackRest complains of."""
    first = re.sub(r'^(.*?ERROR: \[\d+\]: |\[\w+\] )', '', complaint.strip(), flags=re.DOTALL).split('\n')[0]
    for pattern, meaning in MEANINGS.items():
        # A restore writes to this machine alone.
        if re.search(pattern, complaint, re.IGNORECASE) and not (meaning is FULL and command == 'restore'):
            return meaning if meaning.endswith('.') else f'{meaning}: {first}'
    return f'pgBackRest: {first or f"{command} failed and printed no error"}'


def try_settings(file):
    """Refuses pgBackRest settings, in a file of root, that cannot read the repository. The current settings stay in use."""
    tried = SETTINGS.with_suffix('.tried')
    tried.unlink(missing_ok=True)
    try:
        # In a folder of root, readable by postgres.
        descriptor = os.open(tried, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
        with open(descriptor, 'wb') as copy:
            os.fchown(descriptor, 0, grp.getgrnam('postgres').gr_gid)
            copy.write(Path(file).read_bytes())
        contents(f'--config={tried}')
    finally:
        tried.unlink()


def contents(*options):
    """What the repository holds. Refuses where it cannot be read."""
    # What it could not decrypt may be in there, in a message.
    [stanza] = json.loads(pgbackrest('info', '--output=json', *options).stdout, strict=False)
    # 1: no stanza, 2: no backup yet; both may be. pgBackRest counts what it cannot read as no failure of its own.
    if stanza['repo'][0]['status']['code'] not in (0, 1, 2):
        raise Refusal(explain(stanza['repo'][0]['status']['message']))
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
    last = stanza['db'][-1] if stanza['db'] else {}
    return Contents(last.get('system-id'), (last and int(last['version'])) or None, backups)
