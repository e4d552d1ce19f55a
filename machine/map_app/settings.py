"""Reads the settings file: the names and paths that the roles define. It holds no secrets."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from .errors import Failure

PATH = Path('/etc/map-app.json')
REPAIR = 'Run site.yml, which writes the file.'

Section = TypeVar('Section')


@dataclass(frozen=True)
class App:
    """The settings that the role `map_app` writes."""

    service: str
    socket: str
    # The units of the workers in the order in which a reload restarts them, and a glob that also fits former ones.
    workers: list[str]
    worker_pattern: str
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
class Backup:
    """The settings that the role `backup` writes."""

    # Where the backups are, in words; local_only if that is this machine.
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
    # What is recorded of backups, drills and restores.
    state: str
    # The key that seals the certificates. Readable only by root: users that can read the repository's pass must not be able to seal.
    key: str


@dataclass(frozen=True)
class Logs:
    """What each role that writes a log adds to its section."""

    log_files: list[str]
    log_units: list[str]


class Settings:
    """The settings file: one section for each role that writes to it."""

    def __init__(self, sections: Mapping[str, Any]) -> None:
        self.sections = sections

    def has_app(self) -> bool:
        return 'map_app' in self.sections

    def app(self) -> App:
        if not self.has_app():
            raise Failure('The API is not installed on this machine. Run the command on a machine of the group app, or run site.yml first.')
        return parse(App, 'map_app', self.sections['map_app'])

    def backup(self) -> Backup:
        if 'backup' not in self.sections:
            raise Failure('Backups are not configured on this machine. Run the command on a machine of the group db, or run site.yml first.')
        return parse(Backup, 'backup', self.sections['backup'])

    def logs(self) -> Logs:
        """Returns the log files and the units of all sections."""
        parts = [parse(Logs, name, {'log_files': [], 'log_units': [], **section}) for name, section in self.sections.items()]
        return Logs([file for part in parts for file in part.log_files], [unit for part in parts for unit in part.log_units])


def read(path: Path = PATH) -> Settings:
    """Reads the settings file. A machine without one has no sections."""
    try:
        with path.open(encoding='utf-8') as file:
            refuse_writable(path, os.fstat(file.fileno()))
            sections = json.load(file)
    except FileNotFoundError:
        return Settings({})
    except ValueError as error:
        raise Failure(f'{path} is not valid JSON ({error}). {REPAIR}') from None
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise Failure(f'{path} is not an object of objects. {REPAIR}')
    return Settings(sections)


def refuse_writable(path: Path, found: os.stat_result) -> None:
    """The settings name commands that root runs, so no other user may be able to write them."""
    if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Failure(f'{path} can be written by users other than root, so its contents are not trusted. {REPAIR}')


def parse(kind: type[Section], name: str, values: Mapping[str, Any]) -> Section:
    """Returns a section as its class. Throws if a setting is missing or has another type; settings of other releases are ignored."""
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    faults = [name for name in names if not fits(values.get(name), types[name])]
    if faults:
        raise Failure(f'In {PATH}, section {name}, these settings are missing or have the wrong type: {", ".join(faults)}. {REPAIR}')
    return kind(**{name: values[name] for name in names})


def fits(value: object, wanted: object) -> bool:
    if wanted == list[str]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(wanted, type) and isinstance(value, wanted)
