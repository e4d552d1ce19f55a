"""The verb for the certificate: certificate renew."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import screen
from .renewal import Renewal
from .verb import Machine, Verb


def certificate_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar='ACTION', required=True, title='actions')
    text = 'request the certificate if that is due: certificates-renew.service runs this'
    description = (
        'Runs certbot and records the attempt. After failures the timer waits longer before each attempt, from 20 minutes to 12 hours, or as long '
        'as the authority limits requests. An operator starts an attempt at once: sudo systemctl start certificates-renew. The exit status is that of certbot.'
    )
    parser = actions.add_parser('renew', help=text, description=description, allow_abbrev=False)
    parser.add_argument('state', metavar='STATE', type=Path, help='the file with the result of the last attempt, and the time of the next one')
    parser.add_argument('certbot', metavar='COMMAND', nargs=argparse.REMAINDER, help='certbot with its arguments')


def renew(machine: Machine, options: argparse.Namespace) -> int:
    renewal = Renewal(machine.processes, options.state, options.certbot)
    # systemd sets TRIGGER_UNIT if a timer started the service.
    if 'TRIGGER_UNIT' in os.environ and not renewal.is_due():
        return 0
    status, state = renewal.run()
    if status:
        print(state['said'], file=sys.stderr)
        print(f'Failure {state["failures"]} in a row ({state["kind"]}). The timer retries from {screen.moment(state["next"])} on.', file=sys.stderr)
    return status


VERBS = {
    'certificate': Verb('request the certificate from the authority', 'map-app certificate renew STATE certbot certonly --quiet', certificate_arguments, renew),
}
