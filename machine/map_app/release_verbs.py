"""The verbs for the releases: releases, deploy, rollback."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

from .audit import Audit
from .deploy import Deploy, Report, Wanted, choose_rollback
from .errors import Failure
from .exclusive import exclusive
from .lock import RunLock, locked
from .releases import Releases, line
from .serving import Serving
from .verb import Machine, Verb, add_check, add_json, add_run, report

DEPLOY_SHAPE = '{"changed": true, "message": "...", "reasons": [...], "phases": [...], "removed": [...]}; after a failure also "failed": true'


def releases_of(machine: Machine) -> Releases:
    return Releases(Path(machine.settings.app().home))


def releases_arguments(parser: argparse.ArgumentParser) -> None:
    shape = '{"changed": false, "message": "...", "releases": [{"version": "...", "state": "good", "when": 1790000000.0, "current": true, "commit": "...", "who": "..."}, ...]}'
    add_json(parser, shape + '; the states are good, left (good, and left by a rollback), bad and unproven')


def show_releases(machine: Machine, options: argparse.Namespace) -> int:
    found = releases_of(machine).all()
    return report(options, False, '\n'.join(line(one) for one in found) or 'There is no release: run site.yml.', releases=found)


def deploy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('archive', metavar='ARCHIVE', help='the archive of a release, or the version of one that is on this machine')
    parser.add_argument('--version', help='the version in the archive, if ARCHIVE may no longer exist')
    parser.add_argument('--sha256', help='the expected checksum of the archive')
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
    wanted = Wanted(version, 'deploy', archive, options.sha256, through_nginx=not options.before_nginx, pending=options.pending and options.check)
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


VERBS = {
    'releases': Verb('list the releases on this machine', 'map-app releases', releases_arguments, show_releases),
    'deploy': Verb('deploy a release; roll back automatically if it fails', 'map-app deploy map-app-1.2.0.tar.gz', deploy_arguments, deploy),
    'rollback': Verb('roll back to a good release', 'map-app rollback --check', rollback_arguments, rollback),
}
