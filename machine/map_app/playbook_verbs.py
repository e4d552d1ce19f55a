"""The verbs that only playbooks run: note, lock, mend, unpack, units."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .audit import Audit
from .errors import Failure
from .files import unpack
from .lock import RunLock
from .mend import Mend
from .unit_states import UnitStates, parse
from .verb import Machine, Verb, add_check, add_json, report, whole_number

UNITS_INPUT = (
    'The input is JSON: an object with a list "units". Each unit has a "name" and any of: "enabled" (whether it starts at boot), "state" (started or '
    'stopped), "reads" (the files and folders that it reads when it starts), "since" (a file that is touched when it reads them again) and "stale" '
    '(what happens to a running unit that started before a file was written: reported, which is the default, restarted or stopped). With --check, the '
    'files in "pending" count as written after the start of each unit. The output names the units that were older than their files: in "unread" those '
    'with "since", for which a reload is enough, and the others in "stale".'
)


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


def units_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f'{parser.description} {UNITS_INPUT}'
    add_check(parser)
    add_json(
        parser,
        '{"changed": true, "message": "...", "commands": ["start nginx.service"], "stale": {"nginx.service": "nginx.service started ..."}, "unread": {...}}',
    )


def bring_units(machine: Machine, options: argparse.Namespace) -> int:
    try:
        wanted = json.load(sys.stdin)
        units, pending = wanted['units'], wanted.get('pending', [])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Failure('The input is not a JSON object with the field "units". map-app units --help describes it.') from None
    found = UnitStates(machine.units, options.check, pending).bring(parse(units))
    lines = [*found.stale.values(), *found.unread.values(), *found.commands]
    return report(
        options,
        bool(lines),
        '\n'.join(lines) or 'All units are in their wanted states, and none is older than its files.',
        commands=found.commands,
        stale=found.stale,
        unread=found.unread,
    )


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
    'units': Verb(
        'enable, start and stop units, and find those older than their files: the playbooks run this',
        """echo '{"units": [{"name": "nginx.service", "state": "started"}]}' | map-app units --check""",
        units_arguments,
        bring_units,
    ),
}
