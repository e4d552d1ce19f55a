"""A machine and a repository find each other: for the first time, again, or after the machine that filled the repository was lost."""

from __future__ import annotations

from database import Database
from repository import contents, pgbackrest
from restore import restore, undo_interrupted
from system import Refusal


def cluster():
    """This machine's cluster, as PostgreSQL numbers it."""
    return int(Database('postgres').value('SELECT system_identifier FROM pg_control_system()'))


def prepare(settings):
    """Makes a new repository this cluster's. Refuses another cluster's: to mix both would lose the one in it."""
    undone = 'Made an interrupted restore undone. ' if undo_interrupted(settings) else ''
    held = contents()
    if held.cluster is None:
        pgbackrest('stanza-create')
        return undone + 'Made the repository ready.'
    if held.cluster != cluster():
        raise Refusal(
            f'The repository ({settings.repository}) holds the backups of another machine, {len(held.backups)} of them. If that machine is lost and '
            'this one takes its place: playbooks/rebuild.yml. If not, name another path in backup_repository.'
        )
    return undone + "The repository is this machine's."


def rebuild(settings, with_certificates):
    """Fills a fresh machine from the repository: the database and, unless excluded, the certificates. Does nothing if that is already done."""
    if settings.local_only:
        raise Refusal('Backups were kept on the lost machine alone (backup_local_only), so there is nothing to rebuild it from.')
    held = contents()
    if held.cluster is None or not held.backups:
        raise Refusal(f'The repository ({settings.repository}) holds no backup to rebuild from: correct backup_repository.')
    if held.cluster == cluster():
        return "This machine holds the repository's cluster already."
    if tables := int(Database(settings.database).value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")):
        raise Refusal(f'This machine is not fresh: its database {settings.database} has {tables} tables. Rebuild on a fresh one.')
    restored = restore(settings, 'latest', with_certificates)
    return f'Restored {restored}. The certificates are {f"those of backup {held.backups[-1].label}" if with_certificates else "not restored"}.'
