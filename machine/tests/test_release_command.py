"""How the release's own commands are run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.release_command import ReleaseCommand
from map_app.units import Units

from .stand_ins import RecordedProcesses, settings


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / 'map-app.mjs').touch()
    return tmp_path


def run(release: Path, *arguments: str, processes: RecordedProcesses | None = None) -> list[str]:
    """Returns the command that systemd is given."""
    processes = processes or RecordedProcesses()
    ReleaseCommand(settings(release=str(release)).app(), processes, Units(processes), {}).run(arguments)
    return processes.commands[-1]


def properties(command: list[str]) -> list[str]:
    return [one.removeprefix('--property=') for one in command if one.startswith('--property=')]


def test_runs_as_the_services_user_in_its_sandbox_with_its_credentials(release: Path) -> None:
    command = run(release, 'staff', 'list')
    assert '--uid=map-app' in command
    assert properties(command) == [
        'EnvironmentFile=/etc/map-app/map-app.env',
        'LoadCredential=DATABASE_URL:/etc/map-app/credentials/DATABASE_URL',
        'LoadCredential=SESSION_KEY:/etc/map-app/credentials/SESSION_KEY',
        'NoNewPrivileges=yes',
        'CapabilityBoundingSet=',
    ]
    program = ['--', '/opt/node/current/bin/node', '--max-old-space-size=256', f'{release}/map-app.mjs', 'staff', 'list']
    assert command[-len(program) :] == program
    assert {'--pipe', '--wait', '--collect'} < set(command)


def test_only_a_migration_runs_as_the_owner_of_the_schema(release: Path) -> None:
    assert '--uid=map-app-migrate' in run(release, 'migrate')
    for name in ('import', 'check', 'serve', 'retention'):
        assert '--uid=map-app' in run(release, name)


def test_its_exit_status_is_returned(release: Path) -> None:
    processes = RecordedProcesses({'systemd-run': Ended(2)})
    assert ReleaseCommand(settings(release=str(release)).app(), processes, Units(processes), {}).run(['check']) == 2


def test_an_interrupt_stops_what_the_command_has_started(release: Path) -> None:
    processes = RecordedProcesses()
    run(release, 'import', processes=processes)
    assert processes.interrupt
    processes.interrupt()
    assert processes.texts[-1] == f'systemctl stop map-app-command-{os.getpid()}'


def test_a_deploy_can_run_a_release_that_is_not_current(release: Path, tmp_path: Path) -> None:
    processes = RecordedProcesses()
    command = ReleaseCommand(settings(release='/nowhere').app(), processes, Units(processes), {'MAP_APP_RELEASE': str(release)})
    command.run(['check'])
    assert f'{release}/map-app.mjs' in processes.commands[-1]


def test_a_missing_release_is_an_error_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r'There is no release in .*\. Run site\.yml first\.'):
        run(tmp_path, 'check')


def test_a_trial_has_a_time_limit_and_a_socket_for_root_only(release: Path) -> None:
    command = run(release, 'serve')
    assert '--unit=map-app-trial' in command
    assert '--socket-property=SocketMode=0600' in command
    assert 'RuntimeMaxSec=2min' in properties(command)
    assert '--wait' not in command


class TestImport:
    def test_makes_the_folder_of_each_file_visible_and_passes_absolute_paths(self, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ('a b', 'pins'):
            (tmp_path / name).mkdir()
            (tmp_path / name / 'file.csv').touch()
        monkeypatch.chdir(tmp_path)
        command = run(release, 'import', '--animals=a b/file.csv', '--pins', 'pins/file.csv', '--dry-run')
        assert command[-4:] == [f'--animals={tmp_path}/a b/file.csv', '--pins', f'{tmp_path}/pins/file.csv', '--dry-run']
        assert [one for one in properties(command) if one.startswith('Bind')] == [
            f'BindReadOnlyPaths="{tmp_path}/a b/"',
            f'BindReadOnlyPaths="{tmp_path}/pins/"',
        ]

    def test_follows_links_to_files(self, release: Path, tmp_path: Path) -> None:
        (tmp_path / 'real').mkdir()
        (tmp_path / 'real' / 'file.csv').touch()
        (tmp_path / 'link.csv').symlink_to(tmp_path / 'real' / 'file.csv')
        command = run(release, 'import', '--pins', str(tmp_path / 'link.csv'))
        assert command[-1] == f'{tmp_path}/real/file.csv'

    def test_does_not_change_arguments_that_are_not_files(self, release: Path, tmp_path: Path) -> None:
        command = run(release, 'import', '--pins=missing.csv', str(tmp_path))
        assert command[-2:] == ['--pins=missing.csv', str(tmp_path)]
        assert not any('Bind' in one for one in command)

    def test_may_read_any_file_and_has_no_other_capability(self, release: Path) -> None:
        found = properties(run(release, 'import'))
        assert found.index('CapabilityBoundingSet=CAP_DAC_READ_SEARCH') > found.index('CapabilityBoundingSet=')
        assert 'AmbientCapabilities=CAP_DAC_READ_SEARCH' in found
        assert not any('CAP_' in one for one in properties(run(release, 'staff')))
