"""Takes a backup: the cluster, and in its folder what belongs to it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from contextlib import contextmanager

import state
from database import Database, measure
from repository import BESIDE, contents, pgbackrest
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
    clear(folder)
    os.mkdir(folder, 0o700)
    shutil.chown(folder, 'postgres', 'postgres')
    try:
        pack(settings, folder / 'files.tar')
        measured = dump(settings, folder / 'map-app.dump')
        with opened(folder / 'measure.json') as file:
            file.write(json.dumps(measured).encode())
        yield measured
    finally:
        clear(folder)


def clear(folder):
    # A killed backup leaves it behind.
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(path):
    """For PostgreSQL's user alone, from its first byte on. The folder is that user's, so no path in it is trusted twice."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), 'wb') as file:
        owner = pwd.getpwnam('postgres')
        os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
        yield file


def pack(settings, path):
    """An archive of the certificates and what else is in settings.files; what is not there is not needed."""
    present = [file.lstrip('/') for file in settings.files if os.path.exists(file)]
    with opened(path) as file:
        options = ['--create', '--numeric-owner', '--directory=/', '--files-from=-']
        run(['tar', *options], input='\n'.join(present), capture_output=False, stdout=file, stderr=subprocess.PIPE)


def dump(settings, path):
    """A dump that any PostgreSQL of this version or a later one can load, and the measure of exactly what is in it."""
    database = Database(settings.database)
    need_space(settings.data, int(database.value('SELECT pg_database_size(current_database())')), 'The dump')
    with database.session() as session:
        session.ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
        [[snapshot]] = session.ask('SELECT pg_export_snapshot()')
        run([settings.programs / 'pg_dump', *database.options, '--format=custom', f'--snapshot={snapshot}', f'--file={path}'], user='postgres')
        return measure(session)


def mark(settings):
    """Marks a moment in the archived WAL and measures the database as it was then, so that a restore to it can be compared exactly."""
    database = Database(settings.database)
    point = f'map-app {state.now().isoformat(timespec="microseconds")}'
    for _ in range(120):
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
    raise Refusal('The backup is taken but not measured, as somebody has been writing to the database for two minutes on end: take another one.')


def hold_writers(session):
    """Lets no writer in until the session commits: both sides of the mark then see the same."""
    # Shorter than PostgreSQL's deadlock_timeout: where a writer waits for this lock and this lock for it, this one gives way.
    session.ask("BEGIN; SET LOCAL lock_timeout = '400ms'")
    session.ask(r"""
        SELECT format('LOCK TABLE %s IN SHARE MODE', string_agg(format('%I.%I', schemaname, tablename), ', '))
        FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') HAVING count(*) > 0 \gexec
        """)
