"""The command line: finds the verb and runs it. Passes any other command to the release."""

from __future__ import annotations

import importlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from . import settings
from .errors import Failure
from .processes import Processes
from .verb import Machine, Verb

# The verbs and their modules. A start imports only the module of its verb, because Python compiles all that it imports: 0.15 seconds for everything.
MODULES = {
    'status': 'site_verbs',
    'drift': 'site_verbs',
    'maintenance': 'site_verbs',
    'releases': 'release_verbs',
    'deploy': 'release_verbs',
    'rollback': 'release_verbs',
    'psql': 'service_verbs',
    'visitors': 'service_verbs',
    'logs': 'service_verbs',
    'workers': 'service_verbs',
    'certificate': 'certificate_verbs',
    'backup': 'backups.verbs',
    'backups': 'backups.verbs',
    'restore': 'backups.verbs',
    'drill': 'backups.verbs',
    # Last, because operators do not need them.
    'note': 'playbook_verbs',
    'lock': 'playbook_verbs',
    'mend': 'playbook_verbs',
    'unpack': 'playbook_verbs',
    'units': 'playbook_verbs',
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
        if name in MODULES:
            verb = load(name)
            options = verb.parse(name, arguments[1:])
            return verb.run(machine(processes, arguments), options)
        if name in ('--help', '-h'):
            print(HELP.format(own='\n'.join(f'  {one:12}{load(one).summary}' for one in MODULES)), flush=True)
            arguments = ['--help']
        return machine(processes, arguments).release_command().run(arguments)
    except Failure as failure:
        if getattr(options, 'json', False):
            print(json.dumps({'changed': failure.changed, 'failed': True, 'message': str(failure)}), flush=True)
        print(f'map-app {name}: {failure}' if name in MODULES else f'map-app: {failure}', file=sys.stderr)
        return FAILED


def load(name: str) -> Verb:
    verb: Verb = importlib.import_module(f'.{MODULES[name]}', __package__).VERBS[name]
    return verb


def machine(processes: Processes | None, arguments: Sequence[str]) -> Machine:
    if os.geteuid() != 0:
        raise Failure(f"This command needs root, to become the service's user and to pass its credentials. Run: sudo map-app {' '.join(arguments)}")
    return Machine(settings.read(), processes or Processes())
