"""Takes a backup: the cluster, with companion files in its folder."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Failure
from . import state
from .database import ENVIRONMENT, TABLES, Database, Measure, Session, measure
from .repository import CERTIFICATES, COMPANIONS, DUMP, MEASURE
from .site import Site, need_space

KINDS = {'F': 'full', 'D': 'diff', 'I': 'incr'}

Returned = TypeVar('Returned')


def take(site: Site, kind: str) -> dict[str, Any]:
    """Takes a backup, full or diff (the changes since the last full one), and records it. The first one is always full."""
    return site.state.recorded('backup', lambda: take_unrecorded(site, kind))


def take_unrecorded(site: Site, kind: str) -> dict[str, Any]:
    with companions(site) as measured:
        site.repository.pgbackrest('backup', f'--type={kind}')
    backup = site.repository.contents().backups[-1]
    site.state.write('moment', {'label': backup.label, **mark(site)})
    rows = sum(table['rows'] for table in measured.values())
    return {'label': backup.label, 'kind': KINDS[backup.label[-1]], 'bytes': backup.size, 'rows': rows}


def is_done(site: Site) -> bool:
    """Returns whether the last backup that this cluster took and measured is in the repository."""
    return site.state.read('moment').get('label') in [backup.label for backup in site.repository.contents().backups]


@contextmanager
def companions(site: Site) -> Iterator[Measure]:
    """While the backup is taken, keeps companion files in the cluster's folder: the certificates, and a portable dump with its measurements."""
    folder = site.data / COMPANIONS
    # A killed backup leaves this folder behind.
    site.folders.remove(folder)
    site.folders.make(folder)
    try:
        site.folders.write(folder / CERTIFICATES, site.certificates.pack())
        measured = dump(site, folder / DUMP)
        site.folders.write(folder / MEASURE, json.dumps(measured).encode())
        yield measured
    finally:
        site.folders.remove(folder)


def dump(site: Site, path: Path) -> Measure:
    """Writes a dump that PostgreSQL of this version or a later one can load. Returns the measurements of exactly the rows in it."""
    database = site.database()
    need_space(site.data, int(database.value('SELECT pg_catalog.pg_database_size(pg_catalog.current_database())')), 'The dump')

    def attempt() -> Measure:
        with database.session() as session:
            session.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
            [[snapshot]] = session.ask('SELECT pg_catalog.pg_export_snapshot()')
            options = ['--format=custom', f'--snapshot={snapshot}', '--lock-wait-timeout=30s', f'--file={path}']
            site.processes.require([f'{site.programs}/pg_dump', *database.options, *options], user='postgres', environment=ENVIRONMENT)
            return measure(session)

    return patiently(database, attempt)


def mark(site: Site) -> dict[str, Any]:
    """Creates a restore point in the archived WAL and measures the database at that point, so that a restore to it can be compared exactly."""
    database = site.database()

    def attempt() -> dict[str, Any]:
        point = f'map-app {state.now().isoformat(timespec="microseconds")}'
        with database.session() as writers, database.session() as reader:
            hold_writers(writers)
            reader.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
            reader.ask('SELECT pg_catalog.pg_current_snapshot()')
            writers.ask(f"SELECT pg_catalog.pg_create_restore_point('{point}')")
            writers.ask('COMMIT')
            return {'point': point, 'tables': measure(reader)}

    moment = patiently(database, attempt)
    # Waits until all WAL up to now is in the repository.
    site.repository.pgbackrest('check')
    return moment


def patiently(database: Database, work: Callable[[], Returned]) -> Returned:
    """Runs work that needs locks, and retries while other sessions hold them. Sessions that queue behind it can proceed between the attempts.

    A worker must not be able to prevent backups. Its session is ended after 30 s in a transaction if it is idle or locks a table against readers, which
    workers never need, and after 120 s in any case. Sessions of the schema's owner, which migrate, and of the superuser are never ended.
    """
    started = time.monotonic()
    while True:
        try:
            return work()
        except Failure as failure:
            waited = time.monotonic() - started
            # pg_dump implements --lock-wait-timeout with a statement timeout.
            if not re.search('(lock|statement) timeout', str(failure)):
                raise
            if waited > 150:
                raise Failure(
                    'The backup needs locks that a session has held for more than two minutes (pg_stat_activity lists it). '
                    'End that session, then take another backup.'
                ) from None
        if waited > 120:
            end_sessions(database, 120)
        elif waited > 30:
            end_sessions(database, 30, f"AND (a.state <> 'active' OR {EXCLUSIVE})")
        time.sleep(1)


EXCLUSIVE = "EXISTS (SELECT FROM pg_catalog.pg_locks AS l WHERE l.pid = a.pid AND l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation')"


def end_sessions(database: Database, seconds: int, which: str = '') -> None:
    """Ends the workers' sessions whose transactions have been open for more than this many seconds, if the SQL condition `which` holds."""
    ended = database.ask(f"""
        SELECT a.usename, a.pid, pg_catalog.pg_terminate_backend(a.pid)
        FROM pg_catalog.pg_stat_activity AS a JOIN pg_catalog.pg_database AS d ON d.datname = a.datname JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
        WHERE d.datname = pg_catalog.current_database() AND NOT r.rolsuper AND r.oid <> d.datdba
          AND a.xact_start < pg_catalog.now() - interval '{seconds} s' {which}""")
    for role, process, _ in ended:
        print(f'Ended session {process} of {role}, whose transaction was open for more than {seconds} s and blocked the backup.', flush=True)


def hold_writers(session: Session) -> None:
    """Blocks writers until the session commits, so that the restore point and the measured snapshot contain the same rows."""
    # Shorter than PostgreSQL's deadlock_timeout, so that in a deadlock with a writer this statement fails, and not the writer's.
    session.ask("BEGIN; SET LOCAL lock_timeout = '400ms'")
    session.ask(rf"""
        SELECT pg_catalog.format('LOCK TABLE %s IN SHARE MODE', pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.relname), ', '))
        FROM {TABLES} HAVING pg_catalog.count(*) > 0 \gexec
        """)
