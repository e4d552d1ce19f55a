"""The parts of a verb of the command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .database import Database
from .journal import Journal
from .processes import Processes
from .release_command import ReleaseCommand
from .settings import Settings
from .units import Units
from .workers import Workers


class Machine:
    """The dependencies of the verbs."""

    def __init__(self, settings: Settings, processes: Processes) -> None:
        self.settings = settings
        self.processes = processes
        self.units = Units(processes)
        self.journal = Journal(processes)

    def database(self) -> Database:
        return Database(self.settings.commands(), self.processes)

    def workers(self) -> Workers:
        return Workers(self.settings.service(), self.units)

    def release_command(self) -> ReleaseCommand:
        return ReleaseCommand(self.settings.commands(), self.processes, self.units)


@dataclass(frozen=True)
class Verb:
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    # Returns the exit status.
    run: Callable[[Machine, argparse.Namespace], int]
    # Whether all options after the verb are those of another program. This program handles --help only if it is the only option.
    passes_options_on: bool = False

    def parse(self, name: str, arguments: Sequence[str]) -> argparse.Namespace:
        """Returns the options, or prints the help or an error and exits (0 or 2)."""
        if self.passes_options_on and list(arguments) not in (['--help'], ['-h']):
            return argparse.Namespace(options=list(arguments))
        parser = argparse.ArgumentParser(
            prog=f'map-app {name}',
            description=f'{self.summary[0].upper()}{self.summary[1:]}.',
            epilog=f'example: {self.example}',
            allow_abbrev=False,
        )
        self.add_arguments(parser)
        return parser.parse_args(arguments)


def add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, action: Callable[..., int], text: str, description: str | None = None
) -> argparse.ArgumentParser:
    """Adds an action to a verb that has several. The options of a command line have the function of its action as `action`."""
    parser = actions.add_parser(name, help=text, description=description or f'{text[0].upper()}{text[1:]}.', allow_abbrev=False)
    parser.set_defaults(action=action)
    return parser


def add_json(parser: argparse.ArgumentParser, shape: str) -> None:
    """Adds --json. `shape` describes the output of a success. After a failure the output has the fields `changed`, `failed` and `message`."""
    parser.add_argument('--json', action='store_true', help=f'print JSON: {shape}')


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--check', action='store_true', help='print what would be done, and do nothing')


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--within-run', action='store_true', help='the run of a playbook that calls this holds the run lock')


def report(options: argparse.Namespace, changed: bool, message: str, **fields: Any) -> int:
    """Prints what a verb has done, or would do: a sentence, or JSON with the fields of the verb."""
    print(json.dumps({'changed': changed, 'message': message, **fields}) if options.json else message, flush=True)
    return 0


def whole_number(largest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
            raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1 to {largest}')
        return int(text)

    return parse
