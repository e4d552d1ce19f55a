"""Restores the database: beside the present one, which is neither touched nor removed before the restored one has proved good."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import certificates
import folders
import scratch
import state
from database import Database, measure
from repository import BESIDE, CERTIFICATES, STANZA, Backup, contents
from status import archiver, dropped
from system import Refusal, is_active, need_space, run, start, stop

SERVICE = 'map-app.service'
# In the folder of a restored cluster until it has proved good.
MARK = 'map-app-restored'
# The argument for the state before the last restore.
UNDO = 'undo'
# Before anything was written.
EVER = '1970-01-01T00:00:00+00:00'


@dataclass(frozen=True)
class Target:
    # How an operator says it.
    words: str
    # The backup it begins with.
    backup: Backup
    # As options of pgBackRest.
    options: list[str]
    # What was written after it is lost; None: nothing that reached the repository.
    since: datetime | None


def find(settings, to):
    """Returns the target for `latest`, `undo`, a label, or a time (ISO 8601; UTC by default). Refuses a target that does not exist."""
    held = contents()
    if not held.backups:
        raise Refusal('The repository holds no backup, so there is nothing to restore.')
    if to == 'latest':
        target = Target('the latest state in the repository', held.backups[-1], [f'--set={held.backups[-1].label}', scratch.SAME_LINE], None)
    elif to == UNDO:
        target = find_undo(held.backups)
    elif labelled := [backup for backup in held.backups if backup.label == to]:
        target = Target(f'backup {to}', labelled[0], [f'--set={to}', '--type=immediate', '--target-action=promote'], labelled[0].at)
    else:
        target = find_time(held.backups, to)
    refuse_gap(settings, target)
    if target.backup.version != settings.version:
        raise Refusal(
            f'Backup {target.backup.label} is of PostgreSQL {target.backup.version}, which the {settings.version} of this machine cannot read: '
            f'restore it on a system that brings {target.backup.version}, '
            f'or load the dump in it (map-app-backup dump {target.backup.label} >map-app.dump; pg_restore).'
        )
    return target


def find_undo(backups):
    """Returns the state just before the last restore. The repository has its timeline up to the last transaction."""
    last = state.read('restored')
    if not last:
        raise Refusal('No restore has been made on this machine, so there is none to undo.')
    return replace(find_time(backups, last['at']), words=f'the state before the restore of {last["at"]} to {last["to"]}')


def find_time(backups, to):
    try:
        moment = datetime.fromisoformat(to)
    except ValueError:
        labels = ', '.join(backup.label for backup in backups)
        raise Refusal(
            f"'{to}' is neither 'latest' nor 'undo', nor a time such as 2026-01-31T12:00:00+00:00, nor a backup in the repository ({labels})."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > state.now():
        raise Refusal(f'{moment.isoformat()} is yet to come: give a time that has passed.')
    before = [backup for backup in backups if backup.at <= moment]
    if not before:
        raise Refusal(f'The oldest backup is of {backups[0].at.isoformat()}, so the state at {moment.isoformat()} cannot be restored: give a later time.')
    options = [f'--set={before[-1].label}', '--type=time', f'--target={moment.isoformat(sep=" ")}', '--target-action=promote', scratch.SAME_LINE]
    return Target(f'the state at {moment.isoformat()}', before[-1], options, moment)


def refuse_gap(settings, target):
    """Refuses to go on from a backup by WAL that is not all there: what comes after the gap would be lost unsaid."""
    gap = dropped(settings, target.backup.at)
    if gap and (target.since is None or target.since > gap):
        raise Refusal(
            f'WAL after backup {target.backup.label} was dropped, first at {gap.isoformat()}, as the repository had not taken any for long, '
            'so what was written since cannot be restored: take a backup first (playbooks/backup.yml), or give an earlier time.'
        )


def plan(settings, to):
    """What a restore would do and cost, without doing it."""
    target = find(settings, to)
    need_space(settings.data.parent, target.backup.size, 'The restore')
    archive = archiver()
    unarchived = datetime.fromisoformat(archive['last'] or EVER) if archive and archive['failed'] else None
    since = min((moment for moment in (target.since, unarchived) if moment), default=None)
    return {'target': target.words, 'backup': target.backup.label, 'lost': lost(settings, since)}


def lost(settings, since):
    """Rows of each table that say of themselves that they were made since then; None where PostgreSQL does not answer."""
    database = Database(settings.database)
    if not database.answers():
        return None
    if since is None:
        return {}
    rows = database.ask(rf"""
        SELECT string_agg(format('SELECT %L, count(*) FROM %I.%I WHERE %I > %L', table_name, table_schema, table_name, column_name, '{since.isoformat()}'), ' UNION ALL ')
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND data_type = 'timestamp with time zone' AND column_default = 'now()'
        HAVING count(*) > 0 \gexec
        """)
    return {table: int(count) for table, count in rows if count != '0'}


def restore(settings, to, with_certificates=False):
    """Restores the database to a target, optionally with the certificates, and starts the service with it.

    Whatever fails on the way, the service goes on with the present one.
    Returns what was restored, and up to which moment, in words.
    """
    # Killed, it left the service down.
    serves = undo_interrupted(settings) or is_active(SERVICE)
    target = find(settings, to)
    need_space(settings.data.parent, target.backup.size, 'The restore')
    other = settings.restored
    try:
        scratch.fill(other, *target.options)
        folders.write(other / MARK, b'')
        # A refusal comes before any change.
        found = certificates.members(packed(other / BESIDE / CERTIFICATES)) if with_certificates else []
        if serves:
            stop(SERVICE)
        close(settings)
        # Nothing was written to the former timeline after this time.
        closed = state.now()
        certificates.extract(found)
        folders.remove(other / BESIDE)
        until = recover(settings, other) or target.backup.at.isoformat(sep=' ', timespec='seconds')
        folders.exchange(settings.data, other)
        start(settings.unit)
        # The release that runs may be newer than the schema that was restored.
        if os.path.exists('/usr/local/bin/map-app'):
            run(['/usr/local/bin/map-app', 'migrate'])
        if serves:
            start(SERVICE)
    except BaseException:
        put_back(settings)
        if serves:
            start(SERVICE)
        raise
    folders.remove(settings.data / MARK)
    scratch.clear(other)
    # A rebuild has no earlier state to return to.
    if not with_certificates:
        state.write('restored', {'at': closed.isoformat(), 'to': target.words})
    # It was of a moment that may now never have been.
    (state.STATE / 'moment.json').unlink(missing_ok=True)
    return f'{target.words}: the data reaches up to {until}'


def packed(path):
    """Returns the sealed certificates in a restored folder, or no bytes, which have no valid seal."""
    return folders.read(path) if folders.exists(path) else b''


def close(settings):
    """Stops PostgreSQL, which then archives all that was written."""
    database = Database('postgres')
    if database.answers():
        # Recovery stops at the first end of a transaction after its target: let there be one.
        database.ask('SELECT pg_current_xact_id()')
    stop(settings.unit)


def recover(settings, restored):
    """Recovers the restored files to their target, and reads the whole database once, on a separate socket.

    Returns when the last transaction in it was committed, or '' where none was after the backup.
    """
    # The archive must have the new timeline from its beginning.
    archiving = {'archive_mode': 'on', 'archive_command': f'pgbackrest --pg1-path={restored} --stanza={STANZA} archive-push %p'}
    try:
        return prove(settings, restored, **archiving)
    except Refusal as refusal:
        if 'recovery ended before configured recovery target was reached' not in str(refusal):
            raise
        # Nothing was written after that time: the end of all that is there is the state at that time.
        return prove(settings, restored, **archiving, recovery_target_time='')


def prove(settings, restored, **overrides):
    with scratch.server(settings, restored, **overrides) as server:
        server.wait('NOT pg_is_in_recovery()')
        if not measure(Database(settings.database, server.socket)):
            raise Refusal(f'The restored database {settings.database} has no tables.')
        cluster = Database('postgres', server.socket)
        # How it was recovered is no setting for the time after.
        cluster.ask('ALTER SYSTEM RESET ALL')
        return cluster.value("SELECT date_trunc('second', pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC') || '+00:00'")


def put_back(settings):
    """Undoes a restore, however far it had got: the restored cluster, wherever it is, is the one with the mark."""
    if folders.exists(settings.data / MARK):
        run(['systemctl', 'stop', settings.unit], check=False)
        folders.exchange(settings.data, settings.restored)
    scratch.clear(settings.restored)
    start(settings.unit)


def undo_interrupted(settings):
    """Puts back what a restore that was killed left behind. @returns whether there was such a one"""
    interrupted = folders.exists(settings.restored)
    if interrupted:
        put_back(settings)
    return interrupted
