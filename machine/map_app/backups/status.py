"""Checks the state of the backups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from . import state
from .site import Site

# The maximum ages of the last good backup and drill. Backups run every night and drills every week; one may be missed.
OLDEST = {'backup': timedelta(days=2), 'drill': timedelta(days=15)}

Record = dict[str, Any]


def status(site: Site) -> Record:
    """Returns the repository, the last backup and drill, the state of WAL archiving, and one sentence for each problem."""
    backup, drill, archive = site.state.read('backup'), site.state.read('drill'), archiver(site)
    return {
        'repository': site.settings.repository,
        'local_only': site.settings.local_only,
        'backup': backup or None,
        'drill': drill or None,
        'archive': archive,
        'problems': [*problems(backup, drill, archive, site.settings.unit), *gaps(site, backup)],
    }


def archiver(site: Site) -> Record | None:
    """Returns when WAL archiving last succeeded, and when it last failed since; None if PostgreSQL does not respond."""
    database = site.server()
    if not database.answers():
        return None
    found: Record = json.loads(
        database.value(
            "SELECT json_build_object('last', last_archived_time, 'failed', CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') "
            'THEN last_failed_time END) FROM pg_stat_archiver'
        )
    )
    return found


def problems(backup: Record, drill: Record, archive: Record | None, unit: str) -> Iterator[str]:
    """Yields one sentence for each problem of the backups, the drills and WAL archiving."""
    if not backup:
        yield 'There is no backup yet.'
    for name, record in {'backup': backup, 'drill': drill}.items():
        if record and not record['ok']:
            yield f'The {name} of {record["at"]} failed: {record["error"]}'
        if record.get('last_good') and state.now() - datetime.fromisoformat(record['last_good']) > OLDEST[name]:
            yield (
                f'The last good {name} started at {record["last_good"]}, more than {OLDEST[name].days} days ago. '
                "Check its timer: systemctl list-timers 'map-app-backup*'."
            )
    if archive is None:
        yield f'PostgreSQL does not respond: see journalctl --unit={unit}.'
    elif archive['failed']:
        yield f'Writes since {archive["last"] or "the beginning"} are not backed up, because WAL archiving has failed, last at {archive["failed"]}.'


def gaps(site: Site, backup: Record) -> Iterator[str]:
    """Yields one sentence for each reason why a restore would lose recent writes."""
    since = datetime.fromisoformat(backup['last_good']) if backup.get('last_good') else None
    if gap := dropped(site, since):
        yield f'WAL was dropped from {gap.isoformat()} on, because the repository accepted none for too long. Later times cannot be restored. Take a backup.'
    if site.folders.exists(site.restored):
        yield 'A restore is running or was interrupted. If none is running, run site.yml: it restores the former database.'


def dropped(site: Site, since: datetime | None) -> datetime | None:
    """Returns when pgBackRest first dropped WAL after a time, according to PostgreSQL's journal; None if it did not."""
    # Anchored to the beginning of the line, where PostgreSQL writes its prefix, so that a client cannot forge such a line in a message.
    moments = site.units.journal.times(site.settings.unit, '^[0-9:. -]*P[0-9]+ +WARN: dropped WAL file', since)
    return min(moments, default=None)
