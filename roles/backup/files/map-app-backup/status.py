"""Whether the backups are well, for people and for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import folders
import state
from database import Database
from system import run

# Backups are taken each night, drills made each week; one may be missed.
OLDEST = {'backup': timedelta(days=2), 'drill': timedelta(days=15)}


def show(settings):
    """Prints it as JSON. @returns the exit code: 1 where something is wrong"""
    backup, drill, archive = state.read('backup'), state.read('drill'), archiver()
    found = [*problems(backup, drill, archive), *gaps(settings, backup)]
    print(
        json.dumps(
            {
                'repository': settings.repository,
                'local_only': settings.local_only,
                'backup': backup or None,
                'drill': drill or None,
                'archive': archive,
                'problems': found,
            },
            indent=2,
        )
    )
    return 1 if found else 0


def archiver():
    """The last WAL that reached the repository and the last that did not; None where PostgreSQL does not answer."""
    database = Database('postgres')
    if not database.answers():
        return None
    return json.loads(
        database.value(
            "SELECT json_build_object('last', last_archived_time, 'failed', CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') "
            'THEN last_failed_time END) FROM pg_stat_archiver'
        )
    )


def problems(backup, drill, archive):
    """One sentence for each thing that is wrong."""
    if not backup:
        yield 'There is no backup yet.'
    for name, record in {'backup': backup, 'drill': drill}.items():
        if record and not record['ok']:
            yield f'The {name} of {record["at"]} failed: {record["error"]}'
        if record.get('last_good') and state.now() - datetime.fromisoformat(record['last_good']) > OLDEST[name]:
            yield f'The last good {name} is of {record["last_good"]}.'
    if archive is None:
        yield 'PostgreSQL does not answer.'
    elif archive['failed']:
        yield f'What was written since {archive["last"] or "the beginning"} is in no backup: archiving has failed, last at {archive["failed"]}.'


def gaps(settings, backup):
    """One sentence where a restore would end before the present."""
    since = datetime.fromisoformat(backup['last_good']) if backup.get('last_good') else None
    if gap := dropped(settings, since):
        yield f'WAL was dropped, first at {gap.isoformat()}, as the repository had not taken any for long: no time from then on can be restored to. Take a backup.'
    if folders.exists(settings.restored):
        yield 'A restore is under way, or was interrupted: site.yml puts the former database back.'


def dropped(settings, since):
    """When pgBackRest first dropped WAL after that time, as its journal tells; None where it did not."""
    # From its beginning: a line of PostgreSQL begins with its prefix, whatever a client has put into the message.
    search = ['--grep=^[0-9:. -]*P[0-9]+ +WARN: dropped WAL file', f'--since=@{since.timestamp() if since else 0:.0f}', '--output=json', '--no-pager']
    lines = run(['journalctl', f'--unit={settings.unit}', *search], check=False).stdout.splitlines()
    moments = [int(json.loads(line)['__REALTIME_TIMESTAMP']) for line in lines if line.startswith('{')]
    return datetime.fromtimestamp(min(moments) // 1_000_000, UTC) if moments else None
