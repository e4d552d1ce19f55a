"""Connects a machine to a repository: for the first time, again, or after the loss of the machine that filled the repository."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Failure
from .restore import restore, undo_interrupted
from .site import Site
from .target import LATEST


@dataclass(frozen=True)
class Outcome:
    changed: bool
    message: str


def cluster(site: Site) -> int:
    """Returns the system identifier of this machine's cluster."""
    return int(site.server().value('SELECT system_identifier FROM pg_control_system()'))


def prepare(site: Site, check: bool) -> Outcome:
    """Prepares a new repository for this cluster. Throws if the repository belongs to another cluster, whose backups would be lost."""
    undone = site.folders.exists(site.restored) if check else undo_interrupted(site)
    words = 'Undid an interrupted restore. ' if undone else ''
    held = site.repository.contents()
    if held.cluster is None:
        if not check:
            site.repository.pgbackrest('stanza-create')
        return Outcome(True, f'{words}Prepared the repository.')
    if held.cluster != cluster(site):
        raise Failure(
            f'The repository ({site.settings.repository}) belongs to another machine (backups in it: {len(held.backups)}). To replace that machine with '
            'this one, run playbooks/rebuild.yml. Otherwise set another path in backup_repository.'
        )
    return Outcome(undone, f'{words}The repository already belongs to this machine.')


def rebuild(site: Site, with_certificates: bool, check: bool) -> Outcome:
    """
    Restores a fresh machine from the repository: the database and, unless excluded, the certificates. Does nothing if the machine already has the
    repository's cluster.
    """
    if site.settings.local_only:
        raise Failure('The backups were kept only on the lost machine (backup_local_only), so it cannot be rebuilt. To set up an empty server, run site.yml.')
    held = site.repository.contents()
    if held.cluster is None or not held.backups:
        raise Failure(f'The repository ({site.settings.repository}) contains no backup. Correct backup_repository.')
    if held.cluster == cluster(site):
        return Outcome(False, "This machine already has the repository's cluster.")
    if tables := int(site.database().value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")):
        raise Failure(f'This machine is not fresh: its database {site.settings.database} has {tables} tables. Rebuild on a fresh one.')
    if check:
        return Outcome(True, f'The latest state in the repository would be restored (from backup {held.backups[-1].label}).')
    restored = restore(site, LATEST, with_certificates)
    certificates = f'those of backup {held.backups[-1].label}' if with_certificates else 'not restored'
    return Outcome(True, f'Restored {restored}. The certificates are {certificates}.')
