"""The verbs for the releases, the state of the machine and maintenance: releases, deploy, rollback, status, drift, maintenance, lock, note, unpack, mend."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .audit import Audit
from .deploy import Deploy, Report, Wanted, choose_rollback
from .drift import Drift
from .errors import Failure
from .exclusive import exclusive
from .files import unpack
from .lock import RunLock, locked
from .maintenance import Maintenance
from .mend import Mend
from .releases import Releases, line
from .screen import screen, verdict
from .serving import Serving
from .status import Status
from .units import newest
from .verb import Machine, Verb, add_check, add_json, report, whole_number

DEPLOY_SHAPE = '{"changed": true, "message": "...", "reasons": [...], "phases": [...], "removed": [...]}; after a failure also "failed": true'


def releases_of(machine: Machine) -> Releases:
    return Releases(Path(machine.settings.app().home))


def releases_arguments(parser: argparse.ArgumentParser) -> None:
    shape = '{"changed": false, "message": "...", "releases": [{"version": "...", "state": "good", "when": 1790000000.0, "current": true, "commit": "...", "who": "..."}, ...]}'
    add_json(parser, shape + '; the states are good, left (good, and left by a rollback), bad and unproven')


def show_releases(machine: Machine, options: argparse.Namespace) -> int:
    found = releases_of(machine).all()
    return report(options, False, '\n'.join(line(one) for one in found) or 'There is no release: run site.yml.', releases=found)


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--within-run', action='store_true', help='the run of a playbook that calls this holds the run lock')


def deploy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('archive', metavar='ARCHIVE', help='the archive of a release, or the version of one that is on this machine')
    parser.add_argument('--version', help='the version in the archive, if ARCHIVE may no longer exist')
    parser.add_argument('--sha256', help='the expected checksum of the archive')
    parser.add_argument('--consume', action='store_true', help='remove the archive after reading it')
    parser.add_argument('--before-nginx', action='store_true', help='nginx is not in its final state: do not check the site through it')
    parser.add_argument('--pending', action='store_true', help='with --check: the files that the workers read would change')
    add_run(parser)
    add_check(parser)
    add_json(parser, DEPLOY_SHAPE)


def deploy(machine: Machine, options: argparse.Namespace) -> int:
    archive: Path | None = Path(options.archive)
    version = options.version
    if version is None and releases_of(machine).exists(options.archive):
        version, archive = options.archive, None
    if version is None and archive is not None:
        version = version_in(archive)
    wanted = Wanted(
        version, 'deploy', archive, options.sha256, consume=options.consume, through_nginx=not options.before_nginx, pending=options.pending and options.check
    )
    return carry_out(machine, options, wanted)


def version_in(archive: Path) -> str:
    """Returns the version in the manifest of an archive."""
    try:
        with tarfile.open(archive) as tar:
            found = tar.extractfile('./manifest.json' if './manifest.json' in tar.getnames() else 'manifest.json')
            version = json.loads(found.read())['version'] if found else ''
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise Failure(f'{archive} is neither the archive of a release nor the version of one on this machine ({error}).') from None
    # The version becomes the name of a folder.
    if not isinstance(version, str) or not version or '/' in version or version.startswith('.'):
        raise Failure(f'The manifest in {archive} names no version.')
    return version


def rollback_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('release', metavar='RELEASE', nargs='?', default='', help='a release (default: the last good one before the current)')
    add_run(parser)
    add_check(parser)
    add_json(parser, DEPLOY_SHAPE)


def rollback(machine: Machine, options: argparse.Namespace) -> int:
    releases = releases_of(machine)
    version, problem = choose_rollback(releases, options.release)
    if version is None:
        raise Failure('\n'.join([problem or '', 'Releases on this machine:', *map(line, releases.all())]))
    return carry_out(machine, options, Wanted(version, 'rollback'))


def carry_out(machine: Machine, options: argparse.Namespace, wanted: Wanted) -> int:
    lock = RunLock()
    with contextlib.ExitStack() as stack:
        if not options.check:
            if not options.within_run:
                stack.enter_context(exclusive(lock, f'map-app {wanted.action}'))
            # The program of an earlier run may still work on this machine after its controller died.
            stack.enter_context(locked(Path(machine.settings.app().home)))
        found = Deploy(Serving(machine.settings, machine.processes, machine.units), Audit(lock), wanted).run(options.check)
    return print_report(found, options)


def print_report(found: Report, options: argparse.Namespace) -> int:
    message = found.failure or found.summary
    if options.json:
        fields = {name: value for name, value in asdict(found).items() if name != 'failure'}
        print(json.dumps({**fields, 'message': message, **({'failed': True} if found.failure else {})}))
    else:
        for sentence in found.reasons if options.check else found.phases:
            print(sentence)
        print(message, file=sys.stderr if found.failure else sys.stdout)
    return 1 if found.failure else 0


def status_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser, '{"status": {...}, "problems": ["...", ...], "outage": [...]}; an outage is a problem for which requests of visitors fail')


def show_status(machine: Machine, options: argparse.Namespace) -> int:
    found = Status(machine.settings, machine.processes, machine.units).read()
    if options.json:
        print(json.dumps(asdict(found)))
    else:
        recorded, differs = Drift().compare()
        status = {**found.status, 'drift': {'recorded': recorded, 'differs': differs}}
        print(f'{os.uname().nodename}: {verdict(found.problems)}', *screen(status, found.problems), sep='\n')
    return 1 if found.problems else 0


def drift_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--record', action='store_true', help='record the files as they are now: site.yml runs this at its end')
    add_check(parser)
    add_json(parser, '{"recorded": "2026-11-26 12:00 UTC", "differs": {"/etc/hosts": "changed", ...}}; the kinds are changed, missing and new')


def show_drift(machine: Machine, options: argparse.Namespace) -> int:
    drift = Drift()
    if options.record:
        if not options.check:
            drift.write()
        return report(options, False, 'Recorded the files of the configuration.')
    recorded, differs = drift.compare()
    if options.json:
        print(json.dumps({'recorded': recorded, 'differs': differs}))
    elif recorded is None:
        print('No run of site.yml has completed on this machine yet.')
    else:
        for path, kind in differs.items():
            print(f'{kind:<8} {path}')
        print(f'{len(differs)} {"file has" if len(differs) == 1 else "files have"} changed since the run of {recorded}.')
    return 0


def maintenance_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('state', choices=['on', 'off'], help='close the site to visitors, or open it')
    parser.add_argument('--text', default='The map is down for maintenance. Please try again in a few minutes.', help='the text for visitors')
    add_run(parser)
    add_check(parser)
    add_json(parser, '{"changed": true, "message": "..."}')


def maintain(machine: Machine, options: argparse.Namespace) -> int:
    lock = RunLock()
    with contextlib.ExitStack() as stack:
        if not options.check and not options.within_run:
            stack.enter_context(exclusive(lock, 'map-app maintenance'))
        maintenance = Maintenance(machine.settings.nginx(), Audit(lock))
        changed = maintenance.close(options.text, options.check) if options.state == 'on' else maintenance.open(options.check)
    words = {'on': 'The site is closed for maintenance.', 'off': 'The site is open.'}
    return report(options, changed, words[options.state])


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
    'status': Verb('print the state of this machine and its problems', 'map-app status --json', status_arguments, show_status),
    'drift': Verb('list the configuration files that changed since the last run of site.yml', 'map-app drift', drift_arguments, show_drift),
    'releases': Verb('list the releases on this machine', 'map-app releases', releases_arguments, show_releases),
    'deploy': Verb('deploy a release; roll back automatically if it fails', 'map-app deploy map-app-1.2.0.tar.gz', deploy_arguments, deploy),
    'rollback': Verb('roll back to a good release', 'map-app rollback --check', rollback_arguments, rollback),
    'maintenance': Verb('close the site to visitors, or open it', "map-app maintenance on --text 'Back at nine.'", maintenance_arguments, maintain),
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
