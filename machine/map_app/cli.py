"""The command line: which verbs there are, what they accept and what they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from . import logs, settings
from .database import Database
from .errors import Failure
from .journal import Journal
from .processes import Processes
from .release_command import ReleaseCommand
from .units import Units
from .workers import Workers

HELP = """\
usage: map-app COMMAND [OPTION...]

Commands of this machine (map-app COMMAND --help explains each):
{own}

To undo a restore of the database, run on the controller: playbooks/restore.yml -e to=undo

Commands of the release (map-app COMMAND --help explains each):
"""
# Exit statuses: 0 it succeeded, 1 it failed, 2 the command line is wrong.
FAILED, WRONG_USE = 1, 2


class Machine:
    """What the verbs work with."""

    def __init__(self, found: settings.Settings, processes: Processes) -> None:
        self.settings = found
        self.processes = processes
        self.units = Units(processes)
        self.journal = Journal(processes)

    def database(self) -> Database:
        return Database(self.settings.app(), self.processes)

    def workers(self) -> Workers:
        return Workers(self.settings.app(), self.units)

    def release_command(self) -> ReleaseCommand:
        return ReleaseCommand(self.settings.app(), self.processes, self.units)


@dataclass(frozen=True)
class Verb:
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Machine, argparse.Namespace], int]
    # Another program's options follow the verb: only a lone --help is this program's.
    passes_options_on: bool = False

    def parse(self, name: str, arguments: Sequence[str]) -> argparse.Namespace:
        """Prints the help or what is wrong and exits (0 or 2), or returns the options."""
        if self.passes_options_on and list(arguments) not in (['--help'], ['-h']):
            return argparse.Namespace(options=list(arguments))
        description = f'{self.summary[0].upper()}{self.summary[1:]}.'
        parser = argparse.ArgumentParser(prog=f'map-app {name}', description=description, epilog=f'example: {self.example}', allow_abbrev=False)
        self.add_arguments(parser)
        return parser.parse_args(arguments)


def whole_number(largest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
            raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 to {largest}')
        return int(text)

    return parse


def psql_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('options', metavar='OPTION', nargs='*', help='an option of psql, passed on as it is')


def run_psql(machine: Machine, options: argparse.Namespace) -> int:
    machine.database().shell(options.options)


def visitors_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('days', metavar='DAYS', nargs='?', default=7, type=whole_number(9999), help='how many days, today among them (default: 7)')
    add_json(parser, '{"days": [{"day": "2026-11-26", "pins": 12}, ...], "total": 5310}')


def run_visitors(machine: Machine, options: argparse.Namespace) -> int:
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
    parser.add_argument('-f', '--follow', action='store_true', help='also print what is written from now on, until Ctrl-C')


def run_logs(machine: Machine, options: argparse.Namespace) -> int:
    return logs.show(machine.settings.logs(), machine.processes, machine.journal, options.lines, options.follow)


def workers_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'action', choices=['start', 'reload', 'stop'], help='start all or restart them at once; restart one after the other; stop all, and the socket'
    )
    parser.add_argument('--check', action='store_true', help='print what would be done, and do nothing')
    add_json(parser, '{"changed": true, "restarts": ["map-app@1.service", ...], "stops": []}')


def run_workers(machine: Machine, options: argparse.Namespace) -> int:
    workers = machine.workers()
    plan = workers.plan(options.action)
    if not options.check:
        workers.run(options.action, plan)
    if options.json:
        print(json.dumps({'changed': bool(plan.restarts or plan.stops), **asdict(plan)}))
    elif options.check:
        for word, units in (('stop', plan.stops), ('restart', plan.restarts)):
            print(f'would {word}: {" ".join(units) or "none"}')
    return 0


def add_json(parser: argparse.ArgumentParser, shape: str) -> None:
    parser.add_argument('--json', action='store_true', help=f'print JSON: {shape}')


VERBS = {
    'psql': Verb(
        "open a shell on the map's database as the API's role, with the options of psql",
        "map-app psql --command='select count(*) from pin'",
        psql_arguments,
        run_psql,
        passes_options_on=True,
    ),
    'visitors': Verb('print the number of pins dropped on each of the last days', 'map-app visitors 30', visitors_arguments, run_visitors),
    'logs': Verb('print the last lines of the workers, nginx and PostgreSQL', 'map-app logs 200 --follow', logs_arguments, run_logs),
    'workers': Verb('start, reload or stop the workers: map-app.service runs this', 'systemctl reload map-app', workers_arguments, run_workers),
}


def main(arguments: Sequence[str], processes: Processes | None = None) -> int:
    """Runs one command and returns its exit status. Any command but the verbs above is the release's."""
    name = arguments[0] if arguments else '--help'
    try:
        if name in VERBS:
            options = VERBS[name].parse(name, arguments[1:])
            return VERBS[name].run(machine(processes, arguments), options)
        if name in ('--help', '-h'):
            print(HELP.format(own='\n'.join(f'  {one:10}{verb.summary}' for one, verb in VERBS.items())), flush=True)
            name, arguments = '--help', ['--help']
        return machine(processes, arguments).release_command().run(arguments)
    except Failure as failure:
        print(f'map-app {name}: {failure}' if name in VERBS else f'map-app: {failure}', file=sys.stderr)
        return FAILED


def machine(processes: Processes | None, arguments: Sequence[str]) -> Machine:
    if os.geteuid() != 0:
        raise Failure(f"This command needs root, to become the service's user and to pass its credentials. Run: sudo map-app {' '.join(arguments)}")
    return Machine(settings.read(), processes or Processes())
