"""Restores the database next to the current one, which is neither changed nor removed until the restored one is verified."""

from __future__ import annotations

from pathlib import Path

from ..errors import Failure
from . import scratch, state
from .database import measure
from .repository import CERTIFICATES, COMPANIONS
from .site import Site, need_space
from .target import find

# A file that marks the folder of a restored cluster until the restore has succeeded.
MARK = 'map-app-restored'


def restore(site: Site, to: str, with_certificates: bool = False) -> str:
    """Restores the database to a target, optionally with the certificates, and starts the service with it.

    If any step fails, the service continues with the current database.
    Returns a description of what was restored, with the time that the data reaches up to.
    """
    # A killed restore leaves the service stopped.
    serves = undo_interrupted(site) or site.serves()
    target = find(site, to)
    need_space(site.data.parent, target.backup.size, 'The restore')
    try:
        scratch.fill(site, site.restored, *target.options)
        site.folders.write(site.restored / MARK, b'')
        # Checks the certificates before anything is changed.
        found = site.certificates.members(packed(site, site.restored / COMPANIONS / CERTIFICATES)) if with_certificates else []
        if serves:
            site.stop_service()
        close(site)
        # Nothing was written to the former timeline after this time.
        closed = state.now()
        site.certificates.extract(found)
        site.folders.remove(site.restored / COMPANIONS)
        until = recover(site) or target.backup.at.isoformat(sep=' ', timespec='seconds')
        site.folders.exchange(site.data, site.restored)
        site.units.start(site.settings.unit)
        site.migrate()
        if serves:
            site.start_service()
    except BaseException:
        put_back(site)
        if serves:
            site.start_service()
        raise
    site.folders.remove(site.data / MARK)
    scratch.clear(site, site.restored)
    # A rebuild has no earlier state to return to.
    if not with_certificates:
        site.state.write('restored', {'at': closed.isoformat(), 'to': target.words})
    # The restored history may not contain the measured restore point.
    site.state.forget('moment')
    return f'{target.words}: the data reaches up to {until}'


def packed(site: Site, path: Path) -> bytes:
    """Returns the sealed certificates in a restored backup. Returns no bytes, which have no valid seal, if it contains none."""
    return site.folders.read(path) if site.folders.exists(path) else b''


def close(site: Site) -> None:
    """Stops PostgreSQL, which archives all remaining WAL before it exits."""
    database = site.server()
    if database.answers():
        # Recovery stops at the first transaction that ends after its target, so there must be one.
        database.ask('SELECT pg_current_xact_id()')
    site.units.stop([site.settings.unit])


def recover(site: Site) -> str:
    """Recovers the restored files to their target, and reads the whole database once, on a separate socket.

    Returns the time of the last commit that was recovered, or '' if there was none after the backup.
    """
    # The new timeline must be archived from its beginning.
    archive = f'pgbackrest --pg1-path={site.restored} --stanza={site.settings.stanza} archive-push %p'
    archiving = {'archive_mode': 'on', 'archive_command': archive}
    try:
        return prove(site, **archiving)
    except Failure as failure:
        if 'recovery ended before configured recovery target was reached' not in str(failure):
            raise
        # Nothing was written after the target time, so the state at the end of the WAL is the state at that time.
        return prove(site, **archiving, recovery_target_time='')


def prove(site: Site, **overrides: str) -> str:
    with scratch.server(site, site.restored, **overrides) as server:
        server.wait('NOT pg_is_in_recovery()')
        if not measure(site.on(server.socket, site.settings.database)):
            raise Failure(f'The restored database {site.settings.database} has no tables.')
        cluster = site.on(server.socket, 'postgres')
        # Removes the recovery settings, which must not stay in effect.
        cluster.ask('ALTER SYSTEM RESET ALL')
        return cluster.value("SELECT date_trunc('second', pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC') || '+00:00'")


def put_back(site: Site) -> None:
    """Undoes a restore at any stage. The restored cluster is in the folder that contains MARK."""
    if site.folders.exists(site.data / MARK):
        site.units.try_stop(site.settings.unit)
        site.folders.exchange(site.data, site.restored)
    scratch.clear(site, site.restored)
    site.units.start(site.settings.unit)


def undo_interrupted(site: Site) -> bool:
    """Undoes a restore that was killed. Returns whether there was one."""
    interrupted = site.folders.exists(site.restored)
    if interrupted:
        put_back(site)
    return interrupted
