"""The backup settings of a machine, with the programs and files that they name."""

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
        # `data` is the folder of the cluster. `restored` contains a restored cluster until the two are exchanged, then the former one.
        self.data = Path(self.settings.data)
        self.restored = self.data.with_name('map-app-restored')
        self.programs = Path(f'/usr/lib/postgresql/{self.settings.version}/bin')

    def database(self) -> Database:
        """Returns the map's database."""
        return Database(self.processes, self.settings.database)

    def server(self) -> Database:
        """Returns the database `postgres`, which every server has."""
        return Database(self.processes, 'postgres')

    def on(self, socket: Path, name: str, role: str = 'postgres') -> Database:
        """Returns a database of the server whose socket is in a folder."""
        return Database(self.processes, name, socket, role)

    @property
    def service(self) -> str | None:
        """The unit that runs the workers, or None if they are on another machine."""
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
        """Migrates the database to the schema of the current release, which may be newer. A machine that is being rebuilt has no release yet."""
        if self.service and Path((commands := self.all_settings.commands()).release).exists():
            ReleaseCommand(commands, self.processes, self.units).require('migrate')


def need_space(folder: Path, needed: int, purpose: str) -> None:
    """Throws if a file system has too little free space for `needed` bytes, with a reserve for other writes in the meantime."""
    free = shutil.disk_usage(folder).free
    wanted = needed * 5 // 4 + 256 * 2**20
    if free < wanted:
        raise Failure(f'{purpose} needs {wanted // 2**20} MB in {folder}, which has {free // 2**20} MB left. Free some space there, then try again.')
