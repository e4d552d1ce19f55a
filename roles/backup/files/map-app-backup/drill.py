"""The restore drill: restores the newest backup beside the real cluster and compares it with what was measured."""

from __future__ import annotations

import json

import certificates
import folders
import scratch
import state
from database import Database, measure
from repository import BESIDE, CERTIFICATES, contents
from system import Refusal, need_space, run


def drill(settings):
    """Restores the newest backup and the WAL after it up to the moment that was measured then, and the dump in it. Both must be exact."""
    moment = state.read('moment')
    backups = contents().backups
    if not moment or not backups or backups[-1].label != moment['label']:
        raise Refusal('There is no backup to drill with that this cluster has measured: take one (map-app-backup full).')
    folder = settings.data.with_name('map-app-drill')
    need_space(folder.parent, backups[-1].size * 2, 'The drill')
    try:
        target = [f'--set={moment["label"]}', '--type=name', f'--target={moment["point"]}', '--target-action=pause', scratch.SAME_LINE]
        scratch.fill(folder, *target)
        # Nothing of it is kept, so nothing of it need reach the disk; and none of it may reach the archive.
        with scratch.server(settings, folder, archive_mode='off', fsync='off') as server:
            server.wait("pg_is_in_recovery() AND pg_get_wal_replay_pause_state() = 'paused'")
            compare(moment['tables'], measure(Database(settings.database, server.socket)), 'The restored database')
            drill_dump(settings, folder / BESIDE, server)
        certificates.members(folders.read(folder / BESIDE / CERTIFICATES))
    finally:
        scratch.clear(folder)
    tables = moment['tables'].values()
    return {'label': moment['label'], 'tables': len(tables), 'rows': sum(table['rows'] for table in tables)}


def drill_dump(settings, beside, server):
    """Loads the dump into an empty database of the scratch cluster, as the database's owner, because a superuser would run the owner's code with all privileges."""
    superuser = Database('postgres', server.socket)
    superuser.ask('SELECT pg_catalog.pg_promote()')
    server.wait('NOT pg_catalog.pg_is_in_recovery()')
    owner = superuser.value(f"SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = '{settings.database}'")
    superuser.ask(f'CREATE DATABASE "map-app-dump" OWNER "{owner}" TEMPLATE template0')
    options = Database('map-app-dump', server.socket, owner).options
    run([settings.programs / 'pg_restore', *options, '--exit-on-error', beside / 'map-app.dump'], user='postgres')
    expected = json.loads(folders.read(beside / 'measure.json'))
    compare(expected, measure(Database('map-app-dump', server.socket)), 'The dump')


def compare(expected, found, what):
    """Refuses where a table differs, and says which and how."""
    differences = [
        f'{table} has {rows(found.get(table))} in place of {rows(expected.get(table))}'
        for table in sorted({*expected, *found})
        if expected.get(table) != found.get(table)
    ]
    if differences:
        raise Refusal(f'{what} is not what was backed up: {"; ".join(differences)}.')


def rows(table):
    return f'{table["rows"]} rows (checksum {table["checksum"]})' if table else 'nothing'
