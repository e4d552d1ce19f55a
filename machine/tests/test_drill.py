"""What a drill restores, compares and removes. The scratch server and its tables are stand-ins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app.backups import drill as module
from map_app.backups import scratch
from map_app.backups.database import Database, Measure
from map_app.backups.drill import drill
from map_app.backups.repository import CERTIFICATES, MEASURE, Backup, Contents
from map_app.backups.site import Site
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import BACKUP, RecordedProcesses

NEWEST = Backup('20261126-013000F', datetime(2026, 11, 26, tzinfo=UTC), 1, 17)
TABLES: Measure = {'public.pin': {'rows': 2, 'checksum': '77'}, 'public.answer': {'rows': 3, 'checksum': '5'}}
OTHER_ROWS: Measure = {**TABLES, 'public.pin': {'rows': 2, 'checksum': '78'}}


class Model:
    """The server, on which a drill succeeds."""

    def __init__(self, folder: Path) -> None:
        self.processes = RecordedProcesses({'psql': Ended(0, 'map-app-migrate\n')})
        self.site = Site(Settings({'backup': {**BACKUP, 'state': str(folder)}}), self.processes, Units(self.processes))
        self.site.state.write('moment', {'label': NEWEST.label, 'point': 'map-app 1', 'tables': TABLES})
        self.backups = [NEWEST]
        # The measurements of the databases on the scratch server.
        self.found = {BACKUP['database']: TABLES, 'map-app-dump': TABLES}
        self.members = mock.Mock(return_value=[])
        self.overrides: dict[str, str] = {}

    @contextmanager
    def server(self, site: Site, folder: Path, **overrides: str) -> Iterator[Any]:
        self.overrides = overrides
        yield mock.Mock(socket=folder)

    def measure(self, database: Database) -> Measure:
        return self.found[database.name]

    def read(self, path: Path) -> bytes:
        return {CERTIFICATES: b'sealed', MEASURE: json.dumps(TABLES).encode()}[path.name]

    def drill(self) -> dict[str, Any]:
        with (
            mock.patch.object(self.site.repository, 'contents', return_value=Contents(7, self.backups)),
            mock.patch.object(self.site.folders, 'read', self.read),
            mock.patch.object(self.site.certificates, 'members', self.members),
            mock.patch.object(scratch, 'server', self.server),
            mock.patch.object(module, 'measure', self.measure),
            mock.patch.object(module, 'need_space'),
        ):
            return drill(self.site)

    def has_removed_its_cluster(self) -> bool:
        return self.processes.texts[-1] == 'rm --recursive --force -- /var/lib/postgresql/17/map-app-drill'


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path)


def test_a_good_backup_is_restored_to_its_restore_point_and_removed(model: Model) -> None:
    record = model.drill()
    assert record == {**record, 'ok': True, 'label': NEWEST.label, 'tables': 2, 'rows': 5}
    [restored] = [text for text in model.processes.texts if text.endswith(' restore')]
    assert f'--set={NEWEST.label} --type=name --target=map-app 1 --target-action=pause' in restored
    # The WAL of the scratch cluster must not reach the archive.
    assert model.overrides['archive_mode'] == 'off'
    assert model.has_removed_its_cluster()


def test_the_dump_is_loaded_as_the_owner_of_the_database(model: Model) -> None:
    model.drill()
    [loaded] = [text for text in model.processes.texts if 'pg_restore' in text]
    assert '--dbname=map-app-dump --username=map-app-migrate --exit-on-error' in loaded


@pytest.mark.parametrize(('database', 'subject'), [(BACKUP['database'], 'The restored database'), ('map-app-dump', 'The dump')])
def test_other_rows_are_a_failure(model: Model, database: str, subject: str) -> None:
    model.found[database] = OTHER_ROWS
    with pytest.raises(Failure, match=f'{subject} differs .*pin has 2 rows .checksum 78. instead of 2 rows .checksum 77.'):
        model.drill()
    assert model.site.state.read('drill')['ok'] is False
    assert model.has_removed_its_cluster()


def test_a_dump_that_cannot_be_loaded_is_a_failure(model: Model) -> None:
    model.processes.answers['/usr/lib/postgresql/17/bin/pg_restore'] = Ended(1, errors='input file is damaged')
    with pytest.raises(Failure, match='input file is damaged'):
        model.drill()
    assert model.has_removed_its_cluster()


def test_certificates_that_cannot_be_extracted_are_a_failure(model: Model) -> None:
    model.members.side_effect = Failure('not sealed')
    with pytest.raises(Failure, match='not sealed'):
        model.drill()
    model.members.assert_called_once_with(b'sealed')
    assert model.has_removed_its_cluster()


def test_a_newer_backup_without_measurements_is_not_restored(model: Model) -> None:
    model.backups.append(Backup('20261127-013000F', NEWEST.at, 1, 17))
    with pytest.raises(Failure, match='compares the newest backup with the measurements'):
        model.drill()
    assert model.processes.commands == []
