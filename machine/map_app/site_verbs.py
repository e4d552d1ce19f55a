"""The verbs for the state of the site: status, drift, maintenance."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from dataclasses import asdict

from .audit import Audit
from .drift import Drift
from .exclusive import exclusive
from .lock import RunLock
from .maintenance import Maintenance
from .screen import screen, verdict
from .status import Status
from .verb import Machine, Verb, add_check, add_json, add_run, report


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


VERBS = {
    'status': Verb('print the state of this machine and its problems', 'map-app status --json', status_arguments, show_status),
    'drift': Verb('list the configuration files that changed since the last run of site.yml', 'map-app drift', drift_arguments, show_drift),
    'maintenance': Verb('close the site to visitors, or open it', "map-app maintenance on --text 'Back at nine.'", maintenance_arguments, maintain),
}
