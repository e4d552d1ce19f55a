"""Stand-ins for parts of a server. They run nothing, and record the commands that they receive."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from map_app.processes import Ended, Processes
from map_app.settings import Settings

APP: dict[str, Any] = {
    'address': 'https://map.example.org',
    'metrics': 'map-app-metrics.service',
    'units': ['map-app.socket', 'map-app.service'],
    'socket_path': '/run/map-app/map-app.sock',
    'socket_modes': [],
    'own_socket': '/run/map-app-%i/worker.sock',
    'home': '/opt/map-app',
    'files': ['/etc/map-app'],
    'kept': 5,
    'watch_seconds': 2,
    'watched': {'percent': 1, 'milliseconds': 500, 'megabytes': 400, 'access_log': '/var/log/nginx/access.log'},
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


BACKUP: dict[str, Any] = {
    'repository': 'sftp backups.example.org /map-app',
    'local_only': False,
    'version': 17,
    'data': '/var/lib/postgresql/17/main',
    'configuration': '/etc/postgresql/17/main',
    'unit': 'postgresql@17-main.service',
    'database': 'map-app',
    'pgbackrest': '/etc/pgbackrest/pgbackrest.conf',
    'stanza': 'map-app',
    'state': '/var/lib/map-app-backup',
    'key': '/etc/map-app-backup.key',
}


def settings(**changes: object) -> Settings:
    return Settings({'map_app': {**APP, **changes}})


class Replaced(Exception):
    """The process has become another command."""


class RecordedProcesses(Processes):
    """
    Records commands instead of running them.
    @param answers: the results of commands, by the beginning of their text. The longest match applies. Other commands end with 0 and no output.
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

    def run(self, command: Sequence[str], *, user: str | None = None, text: str = '', environment: Mapping[str, str] | None = None) -> Ended:
        self.commands.append(list(command))
        self.input, self.environment = text, dict(environment or {})
        line = ' '.join(command)
        fitting = [beginning for beginning in self.answers if line.startswith(beginning)]
        return self.answers[max(fitting, key=len)] if fitting else Ended(0)

    def convert(self, command: Sequence[str], data: bytes, *, user: str | None = None, pass_fds: Sequence[int] = (), umask: int = -1) -> bytes:
        return self.require(command, user=user).encode()

    def attach(self, command: Sequence[str], on_interrupt: Callable[[], object] | None = None) -> int:
        self.interrupt = on_interrupt
        return self.run(command).status

    def replace(self, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        self.run(command, environment=environment)
        raise Replaced

    @contextlib.contextmanager
    def following(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> Iterator[None]:
        self.run([*command, '&'])
        yield

    def print_changed(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> None:
        self.run(command)
