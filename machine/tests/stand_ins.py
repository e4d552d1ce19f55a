"""Stand-ins for what a server has: they run nothing, and record what they are asked to run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from map_app.processes import Ended, Processes
from map_app.settings import Settings

APP: dict[str, Any] = {
    'service': 'map-app.service',
    'socket': 'map-app.socket',
    'workers': ['map-app@1.service', 'map-app@2.service'],
    'worker_pattern': 'map-app@*.service',
    'release': '/opt/map-app/current',
    'node': ['/opt/node/current/bin/node', '--max-old-space-size=256'],
    'user': 'map-app',
    'migration_user': 'map-app-migrate',
    'environment_file': '/etc/map-app/map-app.env',
    'credentials_folder': '/etc/map-app/credentials',
    'credentials': ['DATABASE_URL', 'SESSION_KEY'],
    'sandbox': ['NoNewPrivileges=yes', 'CapabilityBoundingSet='],
    'database_is_here': True,
    'log_units': ['map-app@*', 'map-app'],
}


def settings(**changes: object) -> Settings:
    return Settings({'map_app': {**APP, **changes}})


class Replaced(Exception):
    """The process has become another command."""


class RecordedProcesses(Processes):
    """
    Records commands instead of running them.
    @param answers: how commands end, by the beginning of their text; the longest fitting one counts, and all others end with 0 and no output
    """

    def __init__(self, answers: Mapping[str, Ended] | None = None) -> None:
        self.answers = dict(answers or {})
        self.commands: list[list[str]] = []
        self.environment: dict[str, str] = {}
        self.input = ''
        self.interrupt: Callable[[], object] | None = None

    @property
    def texts(self) -> list[str]:
        return [' '.join(command) for command in self.commands]

    def run(self, command: Sequence[str]) -> Ended:
        self.commands.append(list(command))
        text = ' '.join(command)
        fitting = [beginning for beginning in self.answers if text.startswith(beginning)]
        return self.answers[max(fitting, key=len)] if fitting else Ended(0)

    def attach(self, command: Sequence[str], on_interrupt: Callable[[], object] | None = None) -> int:
        self.interrupt = on_interrupt
        return self.run(command).status

    def replace(self, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        self.environment = dict(environment)
        self.run(command)
        raise Replaced

    def feed(self, command: Sequence[str], environment: Mapping[str, str], text: str) -> Ended:
        self.environment, self.input = dict(environment), text
        return self.run(command)

    @contextlib.contextmanager
    def following(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> Iterator[None]:
        self.run([*command, '&'])
        yield

    def print_changed(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> None:
        self.run(command)
