"""The verb for the certificate: certificate renew, certificate issue."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import screen
from .renewal import Renewal, is_forbidden, read, refusal
from .verb import Machine, Verb, add_action, add_check, add_json, report


def certificate_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar='ACTION', required=True, title='actions')
    text = 'request the certificate now unless it is valid, or the authority forbids a request: site.yml runs this'
    parser = add_action(actions, 'issue', issue, text)
    parser.add_argument('chain', metavar='CHAIN', type=Path, help='the certificate, which may not exist yet')
    add_state(parser)
    add_check(parser)
    add_json(
        parser, '{"changed": true, "message": "...", "valid": true}; valid is false if there is still no valid certificate, and then message has the reason'
    )
    text = 'request the certificate if that is due: certificates-renew.service runs this'
    description = (
        'Runs certbot and records the attempt. After failures the timer waits longer before each attempt, from 20 minutes to 12 hours, or as long '
        'as the authority limits requests. An operator starts an attempt at once: sudo systemctl start certificates-renew. The exit status is that of certbot.'
    )
    parser = add_action(actions, 'renew', renew, text, description)
    add_state(parser)
    parser.add_argument('certbot', metavar='COMMAND', nargs=argparse.REMAINDER, help='certbot with its arguments')


def add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('state', metavar='STATE', type=Path, help='the file with the result of the last attempt, and the time of the next one')


def act(machine: Machine, options: argparse.Namespace) -> int:
    status: int = options.action(machine, options)
    return status


def issue(machine: Machine, options: argparse.Namespace) -> int:
    unit = machine.settings.certificates().renewal
    if machine.processes.run(['openssl', 'x509', '-noout', '-checkend', '0', '-in', str(options.chain)]).status == 0:
        return report(options, False, 'The certificate is valid.', valid=True)
    if is_forbidden(state := read(options.state)):
        return report(options, False, f'The authority forbids a request now: {refusal(state, unit)}', valid=False)
    if options.check:
        return report(options, True, 'The certificate would be requested.', valid=True)
    if machine.units.try_start(f'{unit}.service'):
        return report(options, True, 'The authority has issued the certificate.', valid=True)
    reason = refusal(read(options.state), unit) or f'see journalctl --unit={unit}.service.'
    return report(options, False, f'The authority has not issued the certificate: {reason}', valid=False)


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
    'certificate': Verb('request the certificate from the authority', 'map-app certificate renew STATE certbot certonly --quiet', certificate_arguments, act),
}
