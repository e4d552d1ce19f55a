"""The command line: finds the verb and runs it. Passes any other command to the release."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from . import certificate_verbs, playbook_verbs, release_verbs, service_verbs, settings, site_verbs
from .backups import verbs as backup_verbs
from .errors import Failure
from .processes import Processes
from .verb import Machine

VERBS = {
    **site_verbs.VERBS,
    **release_verbs.VERBS,
    **service_verbs.VERBS,
    **certificate_verbs.VERBS,
    **backup_verbs.VERBS,
    # Last, because operators do not need them.
    **playbook_verbs.VERBS,
}

HELP = """\
usage: map-app COMMAND [OPTION...]

Commands of this machine (map-app COMMAND --help explains each):
{own}

Commands of the release (map-app COMMAND --help explains each):
"""
# Exit statuses: 0 success, 1 failure, 2 invalid command line.
FAILED = 1


def main(arguments: Sequence[str], processes: Processes | None = None) -> int:
    """Runs one command and returns its exit status."""
    name = arguments[0] if arguments else '--help'
    options = Namespace()
    try:
        if name in VERBS:
            options = VERBS[name].parse(name, arguments[1:])
            return VERBS[name].run(machine(processes, arguments), options)
        if name in ('--help', '-h'):
            print(HELP.format(own='\n'.join(f'  {one:12}{verb.summary}' for one, verb in VERBS.items())), flush=True)
            arguments = ['--help']
        return machine(processes, arguments).release_command().run(arguments)
    except Failure as failure:
        if getattr(options, 'json', False):
            print(json.dumps({'changed': failure.changed, 'failed': True, 'message': str(failure)}), flush=True)
        print(f'map-app {name}: {failure}' if name in VERBS else f'map-app: {failure}', file=sys.stderr)
        return FAILED


def machine(processes: Processes | None, arguments: Sequence[str]) -> Machine:
    if os.geteuid() != 0:
        raise Failure(f"This command needs root, to become the service's user and to pass its credentials. Run: sudo map-app {' '.join(arguments)}")
    return Machine(settings.read(), processes or Processes())
