"""What a machine has for its backups: its settings, and the programs and files that they name."""

from __future__ import annotations

import shutil
from pathlib import Path

from .. import settings as all_settings
from ..errors import Failure
from ..processes import Processes
from ..release_command import ReleaseCommand
from ..units import Units
from .certificates import Certificates
from .database import Database
from .folders import Folders
from .repository import Repository
from .state import State


class Site:
    def __init__(self, found: all_settings.Settings, processes: Processes, units: Units) -> None:
        self.settings = found.backup()
        self.all_settings = found
        self.processes = processes
        self.units = units
        self.folders = Folders(processes)
        self.certificates = Certificates(processes, Path(self.settings.key))
        self.repository = Repository(processes, Path(self.settings.pgbackrest), self.settings.stanza)
        self.state = State(Path(self.settings.state))
        # The folder of the cluster, and where a restored cluster is until it has proved good, and the former one once they are exchanged.
        self.data = Path(self.settings.data)
        self.restored = self.data.with_name('map-app-restored')
        self.programs = Path(f'/usr/lib/postgresql/{self.settings.version}/bin')

    def database(self) -> Database:
        """Returns the map's database."""
        return Database(self.processes, self.settings.database)

    def server(self) -> Database:
        """Returns the database that every server has."""
        return Database(self.processes, 'postgres')

    def on(self, socket: Path, name: str, role: str = 'postgres') -> Database:
        """Returns a database of the server that listens in a folder."""
        return Database(self.processes, name, socket, role)

    @property
    def service(self) -> str | None:
        """The unit of the workers, or None if the database has a machine of its own."""
        return self.all_settings.service().service if self.all_settings.has('map_app') else None

    def serves(self) -> bool:
        return self.service is not None and self.units.is_active(self.service)

    def start_service(self) -> None:
        if self.service:
            self.units.start(self.service)

    def stop_service(self) -> None:
        if self.service:
            self.units.stop([self.service])

    def migrate(self) -> None:
        """Brings the schema up to that of the release that runs, which may be newer. A machine that is rebuilt has no release yet."""
        if self.service and Path((commands := self.all_settings.commands()).release).exists():
            ReleaseCommand(commands, self.processes, self.units).require('migrate')


def need_space(folder: Path, needed: int, purpose: str) -> None:
    """Throws if a file system would not hold what is to come, with room to spare for those who write meanwhile."""
    free = shutil.disk_usage(folder).free
    wanted = needed * 5 // 4 + 256 * 2**20
    if free < wanted:
        raise Failure(f'{purpose} needs {wanted // 2**20} MB in {folder}, which has {free // 2**20} MB left: make room there, then try again.')
