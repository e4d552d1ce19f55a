"""What the playbooks told this machine about its backups."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

STATE = Path('/var/lib/map-app-backup')


@dataclass(frozen=True)
class Settings:
    # Where the backups are, in words; local_only where that is this machine.
    repository: str
    local_only: bool
    # The major version of PostgreSQL, the cluster's folder, its settings and its unit.
    version: int
    data: Path
    configuration: Path
    unit: str
    database: str

    @property
    def restored(self):
        """Where a restored cluster is until it has proved good, and the former one once they are exchanged: there while a restore goes on."""
        return self.data.with_name('map-app-restored')

    @property
    def programs(self):
        return Path(f'/usr/lib/postgresql/{self.version}/bin')


def read(path='/etc/map-app-backup.toml'):
    with open(path, 'rb') as file:
        values = tomllib.load(file)
    return Settings(**{**values, 'data': Path(values['data']), 'configuration': Path(values['configuration'])})
