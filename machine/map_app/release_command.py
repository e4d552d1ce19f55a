"""Runs a release's own commands (import, staff, migrate, …) as its service runs: with its user, sandbox and credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import Failure
from .processes import Ended, Processes
from .settings import Commands
from .units import Units

# The program in the folder of a release.
PROGRAM = 'map-app.mjs'
# The trial worker, in which a deploy tries a release before it serves. Only root can connect to it.
TRIAL = 'map-app-trial'
TRIAL_SOCKET = '/run/map-app-trial.sock'


@dataclass(frozen=True)
class Service:
    """The properties with which systemd runs one command."""

    unit: str
    user: str
    arguments: Sequence[str]
    options: Sequence[str] = ('--pipe', '--wait', '--service-type=exec')
    properties: Sequence[str] = field(default_factory=tuple)


class ReleaseCommand:
    def __init__(self, settings: Commands, processes: Processes, units: Units, environment: Mapping[str, str] = os.environ) -> None:
        self.settings = settings
        self.processes = processes
        self.units = units
        # A deploy tries a release before `current` points to it.
        self.release = environment.get('MAP_APP_RELEASE') or settings.release

    def run(self, arguments: Sequence[str]) -> int:
        """Runs the command on this process's input and output and returns its exit status. An interrupt stops what the command started, too."""
        service = self.service(arguments)
        return self.processes.attach(self.command(service), on_interrupt=lambda: self.units.stop([service.unit]))

    def capture(self, name: str) -> Ended:
        """Runs a command that needs no input."""
        return self.processes.run(self.command(self.service([name])))

    def require(self, name: str) -> None:
        """Runs a command that needs no input. Throws a Failure with the end of its error output if it fails."""
        ended = self.capture(name)
        if ended.status != 0:
            said = ended.errors.strip() or ended.output.strip() or f'it exited with status {ended.status}'
            raise Failure(f'map-app {name} failed: {said[-800:]}')

    def service(self, arguments: Sequence[str]) -> Service:
        unit, user = f'map-app-command-{os.getpid()}', self.settings.user
        name = arguments[0] if arguments else ''
        if name == 'migrate':
            return Service(unit, self.settings.migration_user, arguments)
        if name == 'import':
            return reading_files(Service(unit, user, arguments))
        if name == 'serve':
            return trial(Service(TRIAL, user, arguments))
        return Service(unit, user, arguments)

    def command(self, service: Service) -> list[str]:
        """Returns the systemd-run command that runs a service."""
        settings = self.settings
        program = os.path.join(self.release, PROGRAM)
        if not os.path.isfile(program):
            raise Failure(f'There is no release in {self.release}. Run site.yml first.')
        credentials = [f'LoadCredential={name}:{settings.credentials_folder}/{name}' for name in settings.credentials]
        # The command's own properties come last, so that they override those of the sandbox.
        properties = [f'EnvironmentFile={settings.environment_file}', *credentials, *settings.sandbox, *service.properties]
        return [
            *('systemd-run', '--quiet', '--collect', f'--unit={service.unit}', *service.options, f'--uid={service.user}'),
            *(f'--property={one}' for one in properties),
            *('--', *settings.node, program, *service.arguments),
        ]


def trial(service: Service) -> Service:
    """
    Returns the service that runs a release like a worker, on a socket to which only root can connect. Starting its unit starts it. It ends after two minutes
    if the deploy has not stopped it.
    """
    options = ['--service-type=notify', '--description=Trial of a release', f'--socket-property=ListenStream={TRIAL_SOCKET}']
    options += ['--socket-property=SocketMode=0600', '--socket-property=RemoveOnStop=yes']
    properties = ['NotifyAccess=all', 'TimeoutStartSec=20s', 'TimeoutStopSec=5s', 'RuntimeMaxSec=2min']
    return Service(service.unit, service.user, service.arguments, options, properties)


def reading_files(service: Service) -> Service:
    """
    Returns the service with read access to the files that an import names, regardless of their permissions. It also makes the folders of the files visible
    in the sandbox, because the paths of animals' pictures are relative to the animals file.
    """
    arguments: list[str] = []
    properties = ['ProtectHome=tmpfs', 'PrivateUsers=no', 'CapabilityBoundingSet=CAP_DAC_READ_SEARCH', 'AmbientCapabilities=CAP_DAC_READ_SEARCH']
    for argument in service.arguments:
        option, equals, value = argument.partition('=')
        name, file = (f'{option}=', value) if option.startswith('--') and equals else ('', argument)
        if os.path.isfile(file):
            file = os.path.realpath(file)
            properties.append(f'BindReadOnlyPaths="{os.path.dirname(file)}/"')
        arguments.append(name + file)
    return Service(service.unit, service.user, arguments, service.options, properties)
