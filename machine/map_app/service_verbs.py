"""The verbs for the service: psql, visitors, logs, workers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from . import logs
from .verb import Machine, Verb, add_check, add_json, whole_number


def psql_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('options', metavar='OPTION', nargs='*', help='an option of psql, passed on unchanged')


def psql(machine: Machine, options: argparse.Namespace) -> int:
    machine.database().shell(options.options)


def visitors_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('days', metavar='DAYS', nargs='?', default=7, type=whole_number(9999), help='number of days, including today (default: 7)')
    add_json(parser, '{"days": [{"day": "2026-11-26", "pins": 12}, ...], "total": 5310}')


def visitors(machine: Machine, options: argparse.Namespace) -> int:
    days, total = machine.database().visitors(options.days)
    if options.json:
        print(json.dumps({'days': [{'day': day, 'pins': pins} for day, pins in days], 'total': total}))
        return 0
    for index, (day, pins) in enumerate(days):
        print(f'{day}\t{pins} pins{" (today)" if index == 0 else ""}')
    print(f'total\t{total} pins')
    return 0


def logs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('lines', metavar='LINES', nargs='?', default=50, type=whole_number(9_999_999), help='how many of the last lines (default: 50)')
    parser.add_argument('-f', '--follow', action='store_true', help='also print new lines, until Ctrl-C')


def show_logs(machine: Machine, options: argparse.Namespace) -> int:
    return logs.show(machine.settings.logs(), machine.processes, machine.journal, options.lines, options.follow)


def workers_arguments(parser: argparse.ArgumentParser) -> None:
    help_text = 'start all or restart them at once; restart one after the other; stop all, and the socket'
    parser.add_argument('action', choices=['start', 'reload', 'stop'], help=help_text)
    add_check(parser)
    add_json(parser, '{"changed": true, "restarts": ["map-app@1.service", ...], "stops": []}')


def workers(machine: Machine, options: argparse.Namespace) -> int:
    found = machine.workers()
    plan = found.plan(options.action)
    if not options.check:
        found.run(options.action, plan)
    if options.json:
        print(json.dumps({'changed': bool(plan.restarts or plan.stops), **asdict(plan)}))
    elif options.check:
        for word, units in (('stop', plan.stops), ('restart', plan.restarts)):
            print(f'would {word}: {" ".join(units) or "none"}')
    return 0


VERBS = {
    'psql': Verb(
        "open a shell on the map's database as the API's role, with the options of psql",
        "map-app psql --command='select count(*) from pin'",
        psql_arguments,
        psql,
        passes_options_on=True,
    ),
    'visitors': Verb('print the number of pins dropped on each of the last days', 'map-app visitors 30', visitors_arguments, visitors),
    'logs': Verb('print the last lines of the workers, nginx and PostgreSQL', 'map-app logs 200 --follow', logs_arguments, show_logs),
    'workers': Verb('start, reload or stop the workers: map-app.service runs this', 'systemctl reload map-app', workers_arguments, workers),
}
