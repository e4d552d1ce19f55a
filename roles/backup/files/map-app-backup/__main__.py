"""map-app-backup: takes backups, drills and restores. Run as root; `map-app-backup --help` says how."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

import certificates
import drill
import rebuild
import repository
import restore
import scratch
import settings
import state
import status
import take
from system import Refusal, alone

# What a backup holds beside the cluster, by the command that reads it.
BESIDE = {'dump': 'map-app.dump', 'files': repository.CERTIFICATES}


def arguments():
    parser = argparse.ArgumentParser(prog='map-app-backup', description='Backups of the map: its database, its certificates, a portable dump.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    commands.add_parser('full', help='takes a full backup now')
    commands.add_parser('diff', help='takes a backup of what has changed since the last full one')
    commands.add_parser('first', help='takes a backup unless this cluster has one in the repository (used by site.yml)')
    commands.add_parser('drill', help='restores the newest backup beside the database and compares it with what was backed up')
    commands.add_parser('status', help='prints the last backup and the last drill as JSON; ends with 1 where something is wrong')
    commands.add_parser('list', help='prints the backups in the repository, the oldest first')
    for name, text in {'dump': 'the portable dump', 'files': 'the archive of the certificates'}.items():
        commands.add_parser(name, help=f'writes {text} in a backup to the output').add_argument('label')
    for name, text in {'plan': 'prints as JSON what a restore would do and cost', 'restore': 'replaces the database by a former state of it'}.items():
        commands.add_parser(name, help=text).add_argument(
            'to', help="'latest', a label, a time such as 2026-01-31T12:00:00+00:00, or 'undo' (the state before the last restore)"
        )
    commands.add_parser('prepare', help="makes the repository this cluster's, unless it is another's (used by site.yml)")
    filling = commands.add_parser('rebuild', help='fills a fresh machine from the repository (used by rebuild.yml)')
    filling.add_argument('--without-certificates', action='store_true', help='does not restore the certificates')
    commands.add_parser('try', help='checks that pgBackRest settings can read the repository (used by site.yml before it installs them)').add_argument('file')
    return parser.parse_args()


def main():
    given = arguments()
    if os.geteuid() != 0:
        raise Refusal(f'map-app-backup needs root: run sudo map-app-backup {given.command}.')
    machine = settings.read()
    if given.command == 'status':
        return status.show(machine)
    if given.command == 'list':
        for backup in repository.contents().backups:
            print(backup.label, backup.at.isoformat(), f'{backup.size // 2**20} MB')
    elif given.command in BESIDE:
        content = scratch.beside(machine, given.label, BESIDE[given.command])
        sys.stdout.buffer.write(certificates.open_sealed(content) if given.command == 'files' else content)
    elif given.command == 'try':
        repository.try_settings(given.file)
    elif given.command == 'plan':
        print(json.dumps(restore.plan(machine, given.to)))
    else:
        lock = alone()
        # Stopped, it cleans up like after any failure.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        change(machine, given)
        lock.close()
    return 0


def back_up(machine, kind):
    record = state.recorded('backup', lambda: take.take(machine, kind))
    print(f'Took backup {record["label"]} of {record["rows"]} rows in {record["seconds"]} s.')


def change(machine, given):
    if given.command == 'first' and take.is_done():
        print('There is a backup of this cluster already.')
    elif given.command in ('full', 'diff', 'first'):
        back_up(machine, 'full' if given.command == 'full' else 'diff')
    elif given.command == 'drill':
        record = state.recorded('drill', lambda: drill.drill(machine))
        print(f'Backup {record["label"]} restores exactly: {record["tables"]} tables, {record["rows"]} rows, in {record["seconds"]} s.')
    elif given.command == 'restore':
        print(f'Restored {restore.restore(machine, given.to)}.', flush=True)
        # Restores follow the line of history of their backup: without one, this line would not be found again.
        try:
            back_up(machine, 'diff')
        except Refusal as refusal:
            raise Refusal(f'It is restored, but no backup could be taken since, and until one is no later time can be restored to: {refusal}') from None
    elif given.command == 'prepare':
        print(rebuild.prepare(machine))
    elif given.command == 'rebuild':
        print(rebuild.rebuild(machine, not given.without_certificates))


try:
    sys.exit(main())
except Refusal as refusal:
    print(f'map-app-backup: {refusal}', file=sys.stderr)
    sys.exit(1)
