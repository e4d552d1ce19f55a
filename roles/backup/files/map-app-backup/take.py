"""Takes a backup: the cluster, and in its folder what belongs to it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager

import certificates
import folders
import state
from database import TABLES, Database, measure
from repository import BESIDE, CERTIFICATES, contents, pgbackrest
from system import Refusal, need_space, run


def take(settings, kind):
    """Takes a backup of a kind, full or diff. A first one is always full."""
    with beside(settings) as measured:
        pgbackrest('backup', f'--type={kind}')
    backup = contents().backups[-1]
    moment = mark(settings)
    state.write('moment', {'label': backup.label, **moment})
    return {
        'label': backup.label,
        'kind': {'F': 'full', 'D': 'diff', 'I': 'incr'}[backup.label[-1]],
        'bytes': backup.size,
        'rows': sum(table['rows'] for table in measured.values()),
    }


def is_done():
    """Whether the last backup that this cluster took and measured is in the repository."""
    return state.read('moment').get('label') in [backup.label for backup in contents().backups]


@contextmanager
def beside(settings):
    """Puts beside the cluster's own files, while the backup is taken, what a rebuild needs and a portable dump with its measure."""
    folder = settings.data / BESIDE
    # A killed backup leaves it behind.
    folders.remove(folder)
    folders.make(folder)
    try:
        folders.write(folder / CERTIFICATES, certificates.pack())
        measured = dump(settings, folder / 'map-app.dump')
        folders.write(folder / 'measure.json', json.dumps(measured).encode())
        yield measured
    finally:
        folders.remove(folder)


def dump(settings, path):
    """A dump that any PostgreSQL of this version or a later one can load, and the measure of exactly what is in it."""
    database = Database(settings.database)
    need_space(settings.data, int(database.value('SELECT pg_database_size(current_database())')), 'The dump')
    with database.session() as session:
        session.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
        [[snapshot]] = session.ask('SELECT pg_export_snapshot()')
        run([settings.programs / 'pg_dump', *database.options, '--format=custom', f'--snapshot={snapshot}', '--lock-wait-timeout=120s', f'--file={path}'], user='postgres')
        return measure(session)


def mark(settings):
    """Marks a moment in the archived WAL and measures the database as it was then, so that a restore to it can be compared exactly."""
    database = Database(settings.database)
    point = f'map-app {state.now().isoformat(timespec="microseconds")}'
    for attempt in range(130):
        if attempt == 30:
            end_sessions(database, attempt, "AND state <> 'active'")
        elif attempt == 120:
            end_sessions(database, attempt)
        with database.session() as writers, database.session() as reader:
            try:
                hold_writers(writers)
            except Refusal:
                # Somebody writes for longer; let others pass who queue behind this lock.
                time.sleep(1)
                continue
            reader.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
            reader.ask('SELECT pg_current_snapshot()')
            writers.ask(f"SELECT pg_create_restore_point('{point}')")
            writers.ask('COMMIT')
            measured = measure(reader)
        # Waits until the WAL so far is in the repository.
        pgbackrest('check')
        return {'point': point, 'tables': measured}
    raise Refusal('The backup is taken but not measured, as a transaction has been holding locks for two minutes: take another backup.')


def end_sessions(database, seconds, which=''):
    """Ends sessions in transactions that have been open for so long, except the superuser's and those of the owner, who may be migrating: a worker that
    holds a lock must not prevent backups."""
    ended = database.ask(f"""
        SELECT a.usename, a.pid, pg_catalog.pg_terminate_backend(a.pid)
        FROM pg_catalog.pg_stat_activity AS a JOIN pg_catalog.pg_database AS d ON d.datname = a.datname JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
        WHERE d.datname = pg_catalog.current_database() AND NOT r.rolsuper AND r.oid <> d.datdba
          AND a.xact_start < pg_catalog.now() - interval '{seconds} s' {which}""")
    for role, process, _ in ended:
        print(f'Ended session {process} of {role}, whose transaction was open for more than {seconds} s and kept the backup waiting.', flush=True)


def hold_writers(session):
    """Lets no writer in until the session commits: both sides of the mark then see the same."""
    # Shorter than PostgreSQL's deadlock_timeout: where a writer waits for this lock and this lock for it, this one gives way.
    session.ask("BEGIN; SET LOCAL lock_timeout = '400ms'")
    session.ask(rf"""
        SELECT pg_catalog.format('LOCK TABLE %s IN SHARE MODE', pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.relname), ', '))
        FROM {TABLES} HAVING pg_catalog.count(*) > 0 \gexec
        """)
