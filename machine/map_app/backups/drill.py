"""The restore drill: restores the newest backup next to the real cluster and compares it with the measurements made at the backup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import Failure
from . import scratch
from .database import ENVIRONMENT, Measure, Measured, measure
from .repository import CERTIFICATES, COMPANIONS, DUMP, MEASURE
from .site import Site, need_space


def drill(site: Site) -> dict[str, Any]:
    """Runs the drill and records its outcome."""
    return site.state.recorded('drill', lambda: drill_unrecorded(site))


def drill_unrecorded(site: Site) -> dict[str, Any]:
    """
    Restores the newest backup with the WAL up to the restore point that was created after it, then loads the dump in it. Both must match their
    measurements exactly.
    """
    moment = site.state.read('moment')
    backups = site.repository.contents().backups
    if not moment or not backups or backups[-1].label != moment['label']:
        raise Failure(
            'The drill compares the newest backup with the measurements that this cluster made when it took it, and there are none. '
            'Take a backup: map-app backup.'
        )
    folder = site.data.with_name('map-app-drill')
    need_space(folder.parent, backups[-1].size * 2, 'The drill')
    try:
        target = [f'--set={moment["label"]}', '--type=name', f'--target={moment["point"]}', '--target-action=pause', scratch.SAME_LINE]
        scratch.fill(site, folder, *target)
        # The restored cluster is discarded, so it needs no fsync, and its WAL must not reach the archive.
        with scratch.server(site, folder, archive_mode='off', fsync='off') as server:
            server.wait("pg_is_in_recovery() AND pg_get_wal_replay_pause_state() = 'paused'")
            compare(moment['tables'], measure(site.on(server.socket, site.settings.database)), 'The restored database')
            drill_dump(site, folder / COMPANIONS, server)
        site.certificates.members(site.folders.read(folder / COMPANIONS / CERTIFICATES))
    finally:
        scratch.clear(site, folder)
    tables = moment['tables'].values()
    return {'label': moment['label'], 'tables': len(tables), 'rows': sum(table['rows'] for table in tables)}


def drill_dump(site: Site, companions: Path, server: scratch.Server) -> None:
    """
    Loads the dump into an empty database of the scratch cluster, as the database's owner, because a superuser would run the owner's code with all
    privileges.
    """
    superuser = site.on(server.socket, 'postgres')
    superuser.ask('SELECT pg_catalog.pg_promote()')
    server.wait('NOT pg_catalog.pg_is_in_recovery()')
    owner = superuser.value(f"SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = '{site.settings.database}'")
    superuser.ask(f'CREATE DATABASE "map-app-dump" OWNER "{owner}" TEMPLATE template0')
    options = site.on(server.socket, 'map-app-dump', owner).options
    command = [f'{site.programs}/pg_restore', *options, '--exit-on-error', str(companions / DUMP)]
    site.processes.require(command, user='postgres', environment=ENVIRONMENT)
    expected = json.loads(site.folders.read(companions / MEASURE))
    compare(expected, measure(site.on(server.socket, 'map-app-dump')), 'The dump')


def compare(expected: Measure, found: Measure, what: str) -> None:
    """Throws if tables differ. The message lists the differences."""
    differences = [
        f'{table} has {words(found.get(table))} instead of {words(expected.get(table))}'
        for table in sorted({*expected, *found})
        if expected.get(table) != found.get(table)
    ]
    if differences:
        raise Failure(f'{what} differs from what was backed up: {"; ".join(differences)}.')


def words(table: Measured | None) -> str:
    return f'{table["rows"]} rows (checksum {table["checksum"]})' if table else 'nothing'
