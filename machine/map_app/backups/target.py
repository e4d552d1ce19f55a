"""Determines the target of a restore, and which data it would lose."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..errors import Failure
from . import scratch, state
from .repository import Backup
from .site import Site, need_space
from .status import archiver, dropped

LATEST = 'latest'
# The state before the last restore.
UNDO = 'undo'
# Earlier than any write.
EVER = '1970-01-01T00:00:00+00:00'


@dataclass(frozen=True)
class Target:
    # A description for the operator.
    words: str
    # The backup that the restore starts from.
    backup: Backup
    # The target as options of pgBackRest.
    options: list[str]
    # Writes after this time are lost; None if all writes in the repository are restored.
    since: datetime | None


@dataclass(frozen=True)
class Plan:
    """What a restore would do, and which data it would lose."""

    target: str
    # The label of the backup that the restore starts from.
    backup: str
    # The number of lost rows of each table; None if they cannot be counted.
    lost: dict[str, int] | None

    def question(self) -> str:
        if self.lost is None:
            lost = 'all later writes, which cannot be counted because PostgreSQL is not running'
        else:
            lost = ', '.join(f'{rows} {"row" if rows == 1 else "rows"} of {table}' for table, rows in self.lost.items()) or 'nothing'
        return f'The database will be restored to {self.target} (from backup {self.backup}). Data that will be lost: {lost}.'

    def json(self) -> dict[str, Any]:
        return asdict(self)


def plan(site: Site, to: str) -> Plan:
    """Returns the plan of a restore. Changes nothing."""
    target = find(site, to)
    need_space(site.data.parent, target.backup.size, 'The restore')
    archive = archiver(site)
    unarchived = datetime.fromisoformat(archive['last'] or EVER) if archive and archive['failed'] else None
    since = min((moment for moment in (target.since, unarchived) if moment), default=None)
    return Plan(target.words, target.backup.label, lost(site, since))


def find(site: Site, to: str) -> Target:
    """Returns the target for `latest`, `undo`, a label, or a time (ISO 8601; UTC by default). Throws if there is no such target."""
    backups = site.repository.contents().backups
    if not backups:
        raise Failure('The repository contains no backup, so there is nothing to restore.')
    if to == LATEST:
        target = Target('the latest state in the repository', backups[-1], [f'--set={backups[-1].label}', scratch.SAME_LINE], None)
    elif to == UNDO:
        target = find_undo(site, backups)
    elif labelled := [backup for backup in backups if backup.label == to]:
        target = Target(f'backup {to}', labelled[0], [f'--set={to}', '--type=immediate', '--target-action=promote'], labelled[0].at)
    else:
        target = find_time(backups, to)
    refuse_gap(site, target)
    version, label = target.backup.version, target.backup.label
    if version != site.settings.version:
        raise Failure(
            f'Backup {label} was taken by PostgreSQL {version}, and this machine has PostgreSQL {site.settings.version}, which cannot read it. '
            f'Restore it on a system with PostgreSQL {version}, or load its dump (map-app backups dump {label} >map-app.dump; pg_restore).'
        )
    return target


def find_undo(site: Site, backups: list[Backup]) -> Target:
    """Returns the state just before the last restore. The repository has the former timeline up to its last transaction."""
    last = site.state.read('restored')
    if not last:
        raise Failure('There is no restore to undo on this machine.')
    return replace(find_time(backups, last['at']), words=f'the state before the restore of {last["at"]} to {last["to"]}')


def find_time(backups: list[Backup], to: str) -> Target:
    try:
        moment = datetime.fromisoformat(to)
    except ValueError:
        labels = ', '.join(backup.label for backup in backups)
        raise Failure(
            f"'{to}' is neither 'latest' nor 'undo', nor a time such as 2026-01-31T12:00:00+00:00, nor a backup in the repository ({labels})."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > state.now():
        raise Failure(f'{moment.isoformat()} is in the future. Give a time in the past.')
    before = [backup for backup in backups if backup.at <= moment]
    if not before:
        raise Failure(f'The oldest backup ended at {backups[0].at.isoformat()}, so the state at {moment.isoformat()} cannot be restored. Give a later time.')
    options = [f'--set={before[-1].label}', '--type=time', f'--target={moment.isoformat(sep=" ")}', '--target-action=promote', scratch.SAME_LINE]
    return Target(f'the state at {moment.isoformat()}', before[-1], options, moment)


def refuse_gap(site: Site, target: Target) -> None:
    """Throws if WAL between the backup and the target was dropped: the writes after the gap would be lost silently."""
    gap = dropped(site, target.backup.at)
    if gap and (target.since is None or target.since > gap):
        raise Failure(
            f'WAL after backup {target.backup.label} was dropped from {gap.isoformat()} on, because the repository accepted none for too long. '
            'Later writes cannot be restored: take a backup first (playbooks/backup.yml), or give an earlier time.'
        )


def lost(site: Site, since: datetime | None) -> dict[str, int] | None:
    """Returns the number of rows of each table whose timestamps are after a time; None if PostgreSQL does not respond."""
    database = site.database()
    if not database.answers():
        return None
    if since is None:
        return {}
    rows = database.ask(rf"""
        SELECT string_agg(
          format('SELECT %L, count(*) FROM %I.%I WHERE %I > %L', table_name, table_schema, table_name, column_name, '{since.isoformat()}'), ' UNION ALL ')
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND data_type = 'timestamp with time zone' AND column_default = 'now()'
        HAVING count(*) > 0 \gexec
        """)
    return {table: int(count) for table, count in rows if count != '0'}
