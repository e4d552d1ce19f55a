"""The verbs that only playbooks run: note, lock, mend, unpack, stale."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .audit import Audit
from .files import unpack
from .lock import RunLock
from .mend import Mend
from .units import newest
from .verb import Machine, Verb, add_check, add_json, report, whole_number


def note_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('action', metavar='ACTION', help='the action in one word, such as restart')
    parser.add_argument('--outcome', choices=['good', 'failed'], default='good', help='the outcome (default: good)')
    parser.add_argument('--reason', help='the reason in one sentence')
    add_check(parser)
    add_json(parser, '{"changed": false, "message": "..."}')


def note(machine: Machine, options: argparse.Namespace) -> int:
    if not options.check:
        Audit(RunLock()).note(options.action, options.outcome, reason=options.reason)
    return report(options, False, f'Noted in the audit log: {options.action}, {options.outcome}.')


def lock_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('action', choices=['take', 'free', 'show'], help='take or free the lock for the run in --record, or print the holder')
    parser.add_argument('--record', type=json.loads, help='who runs what, as JSON: who, controller, pid, started, what, when')
    parser.add_argument('--dead', type=json.loads, help='the record of a holder that is known to be dead and may be replaced')
    add_check(parser)
    add_json(parser, '{"changed": false, "message": "...", "holder": {...}}; holder is the record of another run that holds the lock, or null')


def run_lock(machine: Machine, options: argparse.Namespace) -> int:
    lock, holder = RunLock(), None
    if options.action == 'take':
        holder = lock.take(options.record, options.dead, options.check)
    elif options.action == 'free':
        lock.free(options.record, options.check)
    else:
        holder = lock.holder()
    words = f'{holder["who"]}@{holder["controller"]} runs {holder["what"]} since {holder["when"]}.' if holder else 'No other run holds the lock.'
    return report(options, False, words, holder=holder)


def stale_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('units', metavar='UNIT', nargs='+', help='units, or globs of loaded units such as map-app@*.service')
    parser.add_argument('--file', dest='files', action='append', default=[], help='what the units read when they start; may be repeated')
    parser.add_argument('--since', help='a file that is touched when the units reload; its time counts as a start')
    add_json(parser, '{"changed": true, "message": "...", "stale": ["map-app@1.service started ..., /etc/map-app was written ...", ...]}')


def stale(machine: Machine, options: argparse.Namespace) -> int:
    reloaded = newest([options.since] if options.since else [])[0]
    sentences = list(machine.units.stale(options.units, options.files, reloaded).values())
    fields: dict[str, Any] = {'stale': sentences, 'running': sorted(machine.units.running(options.units))}
    return report(options, bool(sentences), '\n'.join(sentences) or 'No unit is older than its files.', **fields)


def mend_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--port', type=whole_number(65535), default=5432, help='the port of PostgreSQL (default: 5432)')
    add_check(parser)
    add_json(parser, '{"changed": true, "message": "...", "statements": ["ALTER ROLE ..."], "remarks": ["-- ..."], "diff": {...}}')


def mend(machine: Machine, options: argparse.Namespace) -> int:
    found = Mend(machine.processes, sys.stdin.read(), options.port).run(options.check)
    rows = [*found.statements, *found.remarks]
    diff = {'before': '', 'after': ''.join(f'{row}\n' for row in rows)}
    return report(options, bool(rows), '\n'.join(rows) or 'Nothing deviates.', statements=found.statements, remarks=found.remarks, diff=diff)


def unpack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('archive', metavar='ARCHIVE', help='a tar archive, compressed or not')
    parser.add_argument('folder', metavar='FOLDER', help='the folder to unpack it to, which appears atomically')
    parser.add_argument('--unless', metavar='PATH', default='.', help='a file in FOLDER: do nothing if it exists (default: FOLDER itself)')
    parser.add_argument('--strip', metavar='N', type=whole_number(99), default=0, help='omit the first N folders of the names in ARCHIVE')
    parser.add_argument('--consume', action='store_true', help='remove the archive once it was read')
    parser.add_argument('--new-times', action='store_true', help='give all files the present time instead of the one in ARCHIVE')
    add_check(parser)
    add_json(parser, '{"changed": true, "message": "..."}')


def unpack_archive(machine: Machine, options: argparse.Namespace) -> int:
    folder = Path(options.folder)
    if (folder / options.unless).exists():
        return report(options, False, f'{folder} exists.')
    if not options.check:
        unpack(machine.processes, Path(options.archive), folder, strip=options.strip, new_times=options.new_times)
        if options.consume:
            Path(options.archive).unlink()
    return report(options, True, f'Unpacked {options.archive} to {folder}.')


VERBS = {
    'note': Verb('add a line to the audit log: the playbooks run this', 'map-app note restart --reason "the socket was deleted"', note_arguments, note),
    'lock': Verb('take, free or show the run lock: the playbooks run this', 'map-app lock show', lock_arguments, run_lock),
    'mend': Verb(
        'bring PostgreSQL to the state that a comparison on the input describes: the playbooks run this',
        'map-app mend --check <comparison.sql',
        mend_arguments,
        mend,
    ),
    'unpack': Verb(
        'unpack an archive so that its folder appears atomically: the playbooks run this', 'map-app unpack a.tar.gz /opt/a', unpack_arguments, unpack_archive
    ),
    'stale': Verb(
        'list units that started before their files were written: the playbooks run this', 'map-app stale nginx --file /etc/nginx', stale_arguments, stale
    ),
}
