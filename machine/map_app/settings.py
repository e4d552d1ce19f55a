"""Reads the settings: the names and paths that the roles define. They contain no secrets."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from .errors import Failure

# One file for each role that has settings, named after the role.
FOLDER = Path('/etc/map-app.d')
# The releases up to 1.1 wrote one file with a section for each role. A machine that they configured may still lack some of the new files.
FORMER = Path('/etc/map-app.json')
# The second one for a file that the command cannot read, because site.yml runs the command before it has written all files.
REPAIR = 'Run site.yml, which writes the file.'
REPLACE = 'Remove it, then run site.yml, which writes the settings again.'

Section = TypeVar('Section')


@dataclass(frozen=True)
class Mode:
    """The owner, group and mode that site.yml gives a path. The mode is octal."""

    path: str
    owner: str
    group: str
    mode: str


@dataclass(frozen=True)
class Folder:
    """A folder from which a service reads all files and to which a role writes."""

    # May be a glob.
    path: str
    # Which of two files that set the same wins: the first or the last by name, or '' if they cannot conflict.
    wins: str
    # What the folder configures, as text.
    configures: str


@dataclass(frozen=True)
class Watched:
    """The limits that end the watch of a new release."""

    # The percentage of requests of visitors that may fail.
    percent: float
    # The median duration of these requests.
    milliseconds: float
    # The memory of a worker.
    megabytes: float
    # nginx's access log.
    access_log: str


# The settings that the role `map_app` writes, grouped by their use, so that a program that is newer than the file can still start the workers.


@dataclass(frozen=True)
class Service:
    service: str
    socket: str
    # The units of the workers in the order in which a reload restarts them, and a glob that also matches former ones.
    workers: list[str]
    worker_pattern: str


@dataclass(frozen=True)
class Commands:
    """The settings for running a release's own commands."""

    # The link to the release that serves.
    release: str
    # The command that runs a release's program: Node and its options.
    node: list[str]
    user: str
    # The only user whose database role may change the schema.
    migration_user: str
    environment_file: str
    credentials_folder: str
    credentials: list[str]
    # Properties of systemd units, each as `Name=value`.
    sandbox: list[str]
    database_is_here: bool


@dataclass(frozen=True)
class App(Service, Commands):
    """All settings of the role, for deploys and status."""

    # The URL of the site, for operators.
    address: str
    metrics: str
    # The file of the socket, and the modes of it and of its folder.
    socket_path: str
    socket_modes: list[Mode]
    # The own socket of a worker; %i is its number.
    own_socket: str
    # The folder of the releases.
    home: str
    # The files that workers read at their start, besides the release. Workers older than these are restarted.
    files: list[str]
    # How many good, rolled-back and bad releases are kept on the machine.
    kept: int
    # How many seconds each restarted worker is watched before the next one restarts.
    watch_seconds: float
    watched: Watched

    def worker_socket(self, unit: str) -> str:
        """Returns the own socket of a worker."""
        return self.own_socket.replace('%i', unit.partition('@')[2].removesuffix('.service'))


@dataclass(frozen=True)
class Nginx:
    """The settings that the role `nginx` writes."""

    # The public name of the site.
    domain: str
    # The file that configures the site, and the folder and file that close it for maintenance.
    site_file: str
    maintenance: str
    closed: str


@dataclass(frozen=True)
class Certificates:
    """The settings that the role `certificates` writes."""

    # The certificate that nginx serves.
    chain: str
    # The unit that renews it, without its ending, and where it stores its last request.
    renewal: str
    state: str


@dataclass(frozen=True)
class Backup:
    """The settings that the role `backup` writes."""

    # A description of the repository; local_only if it is this machine.
    repository: str
    local_only: bool
    # The major version of PostgreSQL, the cluster's folder, its settings and its unit.
    version: int
    data: str
    configuration: str
    unit: str
    database: str
    # pgBackRest's settings and its name for the cluster.
    pgbackrest: str
    stanza: str
    # The records of backups, drills and restores.
    state: str
    # The key that seals the certificates. Readable only by root: users that can read the repository's pass must not be able to seal.
    key: str


@dataclass(frozen=True)
class Logs:
    """The settings of each role that writes logs."""

    log_files: list[str]
    log_units: list[str]


class Settings:
    """The settings: one section for each role that has any."""

    def __init__(self, sections: Mapping[str, Any]) -> None:
        self.sections = sections

    def has(self, section: str) -> bool:
        return section in self.sections

    def service(self) -> Service:
        return parse(Service, 'map_app', self.of_app())

    def commands(self) -> Commands:
        return parse(Commands, 'map_app', self.of_app())

    def app(self) -> App:
        return parse(App, 'map_app', self.of_app())

    def of_app(self) -> Mapping[str, Any]:
        if not self.has('map_app'):
            raise Failure('The API is not installed on this machine. Run the command on a machine of the group app, or run site.yml first.')
        found: Mapping[str, Any] = self.sections['map_app']
        return found

    def backup(self) -> Backup:
        if not self.has('backup'):
            raise Failure('Backups are not configured on this machine. Run the command on a machine of the group db, or run site.yml first.')
        return parse(Backup, 'backup', self.sections['backup'])

    def nginx(self) -> Nginx:
        if not self.has('nginx'):
            raise Failure('The web server is not installed on this machine. Run the command on a machine of the group web, or run site.yml first.')
        return parse(Nginx, 'nginx', self.sections['nginx'])

    def certificates(self) -> Certificates:
        return parse(Certificates, 'certificates', self.sections.get('certificates', {}))

    def firewall_rules(self) -> str | None:
        """Returns the file with the rules of the firewall."""
        found: str | None = self.sections.get('firewall', {}).get('rules')
        return found

    def folders(self) -> list[Folder]:
        """Returns the folders to which the roles write and from which services read all files."""
        return [parse(Folder, name, one) for name, section in self.sections.items() for one in section.get('folders', [])]

    def modes(self) -> list[Mode]:
        """Returns the modes that the next start of a service needs."""
        return [parse(Mode, name, one) for name, section in self.sections.items() for one in section.get('modes', [])]

    def units(self) -> list[str]:
        """Returns the units that must be active."""
        return [unit for section in self.sections.values() for unit in section.get('units', [])]

    def logs(self) -> Logs:
        """Returns the log files and the units of all sections."""
        parts = [parse(Logs, name, {'log_files': [], 'log_units': [], **section}) for name, section in self.sections.items()]
        return Logs([file for part in parts for file in part.log_files], [unit for part in parts for unit in part.log_units])


def read(folder: Path = FOLDER, former: Path = FORMER) -> Settings:
    """Reads the settings of all roles. Removes the file of former releases once each of its sections has a file."""
    sections = {path.stem: load(path) for path in sorted(folder.glob('*.json'))}
    if former.exists():
        earlier = load(former)
        if earlier.keys() <= sections.keys():
            former.unlink(missing_ok=True)
        sections = {**earlier, **sections}
    if not all(isinstance(section, dict) for section in sections.values()):
        raise Failure(f'{former} is not an object of objects. {REPLACE}')
    return Settings(sections)


def load(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file. Throws if it is invalid, or if a user other than root can write the file."""
    try:
        with path.open(encoding='utf-8') as file:
            refuse_writable(path, os.fstat(file.fileno()))
            values = json.load(file)
    except ValueError as error:
        raise Failure(f'{path} is not valid JSON ({error}). {REPLACE}') from None
    if not isinstance(values, dict):
        raise Failure(f'{path} is not a JSON object. {REPLACE}')
    return values


def refuse_writable(path: Path, found: os.stat_result) -> None:
    """The settings contain commands that root runs, so no other user may be able to write them."""
    if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Failure(f'{path} can be written by users other than root, so its contents are not trusted. {REPLACE}')


def parse(kind: type[Section], name: str, values: Mapping[str, Any]) -> Section:
    """Returns a section as its class. Throws if a setting is missing or has another type; settings of other releases are ignored."""
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    faults = [one for one in names if not fits(values.get(one), types[one])]
    if faults:
        raise Failure(f'In {FOLDER}/{name}.json, these settings are missing or have the wrong type: {", ".join(faults)}. {REPAIR}')
    return kind(**{one: convert(types[one], name, values[one]) for one in names})


def convert(wanted: Any, name: str, value: Any) -> Any:
    if is_dataclass(wanted):
        return parse(wanted, name, value)  # type: ignore[arg-type]
    if get_origin(wanted) is list and is_dataclass(get_args(wanted)[0]):
        return [parse(get_args(wanted)[0], name, one) for one in value]
    return value


def fits(value: object, wanted: Any) -> bool:
    if get_origin(wanted) is list:
        return isinstance(value, list) and all(fits(one, get_args(wanted)[0]) for one in value)
    if is_dataclass(wanted):
        return isinstance(value, dict)
    if wanted in (int, float):
        return isinstance(value, int | wanted) and not isinstance(value, bool)
    return isinstance(value, wanted)
