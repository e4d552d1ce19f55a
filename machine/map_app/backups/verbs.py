"""The verbs for backups: backup, backups, restore, drill."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import Failure
from ..verb import Machine, Verb, add_action, add_check, add_json, report
from . import rebuild, scratch, take
from .drill import drill
from .repository import CERTIFICATES, DUMP
from .restore import restore
from .site import Site
from .status import status
from .target import plan


def site_of(machine: Machine) -> Site:
    return Site(machine.settings, machine.processes, machine.units)


@contextmanager
def alone(site: Site) -> Iterator[None]:
    """Holds the lock against other backups, drills and restores during the block. If systemd stops this process, it cleans up as after any failure."""
    with site.state.lock():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        yield


def backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--full', action='store_true', help='take a full backup instead of a differential one')
    parser.add_argument('--if-missing', action='store_true', help='take a backup only if the repository has none of this cluster')
    add_check(parser)
    add_json(parser, '{"changed": true, "message": "...", "label": "20261126-013000F", "kind": "full", "bytes": 31457280, "rows": 5310, "seconds": 12.5}')


def backup(machine: Machine, options: argparse.Namespace) -> int:
    site, kind = site_of(machine), 'full' if options.full else 'diff'
    if options.check:
        if options.if_missing and take.is_done(site):
            return report(options, False, 'This cluster has a backup in the repository already.')
        return report(options, True, f'A backup would be taken ({kind}).')
    with alone(site):
        # Another run may have taken the backup while this one waited for the lock.
        if options.if_missing and take.is_done(site):
            return report(options, False, 'This cluster has a backup in the repository already.')
        return report_backup(options, take.take(site, kind))


def report_backup(options: argparse.Namespace, record: dict[str, Any]) -> int:
    fields = {name: record[name] for name in ('label', 'kind', 'bytes', 'rows', 'seconds')}
    return report(options, True, f'Took backup {record["label"]} of {record["rows"]} rows in {record["seconds"]} s.', **fields)


def drill_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, '{"changed": false, "message": "...", "label": "20261126-013000F", "tables": 14, "rows": 5310, "seconds": 9.1}')


def run_drill(machine: Machine, options: argparse.Namespace) -> int:
    site = site_of(machine)
    with alone(site):
        record = drill(site)
    fields = {name: record[name] for name in ('label', 'tables', 'rows', 'seconds')}
    sentence = f'Backup {record["label"]} restores exactly: {record["tables"]} tables, {record["rows"]} rows, in {record["seconds"]} s.'
    return report(options, False, sentence, **fields)


def restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'target',
        metavar='TARGET',
        help="'latest', the label of a backup, a time such as 2026-01-31T12:00:00+00:00, or 'undo' (the state before the last restore)",
    )
    parser.add_argument('--yes', action='store_true', help='do not ask for confirmation')
    add_check(parser)
    add_json(parser, '{"changed": true, "message": "..."}; with --check also "target", "backup" and "lost": {"pin": 2} (null if it cannot be counted)')


def run_restore(machine: Machine, options: argparse.Namespace) -> int:
    site = site_of(machine)
    if options.check or not options.yes:
        planned = plan(site, options.target)
        if options.check:
            return report(options, True, planned.question(), **planned.json())
        confirm(planned.question())
    with alone(site):
        restored = f'Restored {restore(site, options.target)}.'
        # A restore follows the timeline of its backup. Without a backup on the new timeline, no restore could reach later writes.
        try:
            record = take.take(site, 'diff')
        except Failure as failure:
            raise Failure(
                f'{restored} But the backup after it failed, and until a backup succeeds no later time can be restored: {failure}', changed=True
            ) from None
    return report(options, True, f'{restored} Took backup {record["label"]} of {record["rows"]} rows in {record["seconds"]} s.')


def confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Failure(f'{question} Nothing was restored, because there is no terminal for the confirmation. Scripts confirm with --yes.')
    print(question, end=' Type yes to restore it: ', flush=True)
    if sys.stdin.readline().strip() != 'yes':
        raise Failure('Nothing was restored, because the restore was not confirmed.')


def backups_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, '{"backups": [{"label": "20261126-013000F", "at": "2026-11-26T01:30:12+00:00", "bytes": 31457280}, ...]}')
    parser.set_defaults(action=list_backups)
    actions = parser.add_subparsers(metavar='ACTION', title='actions (without one, the backups are listed, the oldest first)')

    add = partial(add_action, actions)
    shape = '{"repository": "...", "local_only": false, "backup": {...}, "drill": {...}, "archive": {"last": "...", "failed": null}, "problems": []}'
    add_json(add('status', print_status, 'print the last backup, the last drill and all problems; exit with 1 if there is a problem'), shape)
    add('dump', write_dump, 'write the portable dump in a backup to the output, for pg_restore').add_argument('label', metavar='LABEL')
    add('certificates', write_certificates, 'write the certificates in a backup to the output, as a tar archive').add_argument('label', metavar='LABEL')
    add('run', run_scheduled, 'take a backup or drill: map-app-backup@.service runs this').add_argument('what', choices=['full', 'diff', 'drill'])
    add('try', try_settings, 'check that pgBackRest settings can read the repository, before site.yml installs them').add_argument('file', type=Path)
    shape = '{"changed": true, "message": "..."}'
    add_changing(add('prepare', prepare, 'prepare the repository for this cluster, unless it belongs to another: site.yml runs this'), shape)
    filling = add('rebuild', fill, 'restore a fresh machine from the repository: rebuild.yml runs this')
    filling.add_argument('--without-certificates', action='store_true', help='do not restore the certificates')
    add_changing(filling, shape)


def add_changing(parser: argparse.ArgumentParser, shape: str) -> None:
    add_check(parser)
    add_json(parser, shape)


def run_backups(machine: Machine, options: argparse.Namespace) -> int:
    action: Callable[[Site, argparse.Namespace], int] = options.action
    return action(site_of(machine), options)


def list_backups(site: Site, options: argparse.Namespace) -> int:
    found = site.repository.contents().backups
    if options.json:
        print(json.dumps({'backups': [{'label': one.label, 'at': one.at.isoformat(), 'bytes': one.size} for one in found]}))
    else:
        for one in found:
            print(one.label, one.at.isoformat(), f'{one.size // 2**20} MB')
    return 0


def print_status(site: Site, options: argparse.Namespace) -> int:
    found = status(site)
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    return 1 if found['problems'] else 0


def write_dump(site: Site, options: argparse.Namespace) -> int:
    sys.stdout.buffer.write(scratch.fetch(site, options.label, DUMP))
    return 0


def write_certificates(site: Site, options: argparse.Namespace) -> int:
    sys.stdout.buffer.write(site.certificates.open_sealed(scratch.fetch(site, options.label, CERTIFICATES)))
    return 0


def try_settings(site: Site, options: argparse.Namespace) -> int:
    site.repository.try_settings(options.file)
    return 0


def run_scheduled(site: Site, options: argparse.Namespace) -> int:
    with alone(site):
        if options.what == 'drill':
            drill(site)
        else:
            take.take(site, options.what)
    return 0


def prepare(site: Site, options: argparse.Namespace) -> int:
    return outcome(site, options, lambda: rebuild.prepare(site, check=options.check))


def fill(site: Site, options: argparse.Namespace) -> int:
    return outcome(site, options, lambda: rebuild.rebuild(site, not options.without_certificates, check=options.check))


def outcome(site: Site, options: argparse.Namespace, work: Callable[[], rebuild.Outcome]) -> int:
    if options.check:
        found = work()
    else:
        with alone(site):
            found = work()
    return report(options, found.changed, found.message)


VERBS = {
    'backup': Verb('take a backup now', 'map-app backup --full', backup_arguments, backup),
    'backups': Verb('list the backups, or work with one of them', 'map-app backups dump 20261126-013000F >map-app.dump', backups_arguments, run_backups),
    'restore': Verb('restore the database to an earlier state', 'map-app restore 2026-01-31T12:00:00+00:00', restore_arguments, run_restore),
    'drill': Verb('restore the newest backup next to the database and verify that it matches what was backed up', 'map-app drill', drill_arguments, run_drill),
}
