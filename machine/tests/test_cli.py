"""The command line of `map-app`."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from map_app import cli
from map_app.processes import Ended
from map_app.settings import Settings

from .stand_ins import RecordedProcesses, Replaced, settings


@pytest.fixture(autouse=True)
def server(tmp_path: Path) -> Iterator[None]:
    """A server with a release, on which root runs the command."""
    (tmp_path / 'map-app.mjs').touch()
    (tmp_path / 'DATABASE_URL').write_text('postgresql:///map-app?host=/run/postgresql')
    found = settings(release=str(tmp_path), credentials_folder=str(tmp_path))
    with mock.patch('map_app.settings.read', return_value=found), mock.patch('os.geteuid', return_value=0):
        yield


def run(*arguments: str, processes: RecordedProcesses | None = None) -> tuple[int, RecordedProcesses]:
    processes = processes or RecordedProcesses()
    return cli.main(arguments, processes), processes


MACHINE = Path(__file__).parents[1]
Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize('verb', cli.MODULES)
def test_each_verb_has_a_help_with_an_example(verb: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        run(verb, '--help')
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f'usage: map-app {verb}')
    assert 'example: ' in text


@pytest.mark.parametrize('module', sorted(set(cli.MODULES.values())))
def test_each_verb_of_a_module_is_a_command(module: str) -> None:
    verbs = importlib.import_module(f'map_app.{module}').VERBS
    assert list(verbs) == [name for name, one in cli.MODULES.items() if one == module]


def test_a_start_imports_only_the_module_of_its_verb() -> None:
    script = "import sys; from map_app import cli; cli.load('units'); print([name for name in sys.modules if name.endswith('verbs')])"
    output = subprocess.run([sys.executable, '-c', script], cwd=MACHINE, capture_output=True, text=True, check=True).stdout
    assert output.strip() == "['map_app.playbook_verbs']"


@pytest.mark.parametrize('arguments', [[], ['--help'], ['-h']])
def test_help_lists_the_verbs_and_then_the_commands_of_the_release(arguments: list[str], capsys: Output) -> None:
    status, processes = run(*arguments)
    text = capsys.readouterr().out
    assert status == 0
    assert all(f'\n  {verb} ' in text for verb in cli.MODULES)
    assert processes.commands[-1][-1] == '--help'


@pytest.mark.parametrize('name', ['import', 'staff', 'pins', 'answers', 'retention', 'migrate', 'check', '--version', 'unknown'])
def test_passes_all_other_commands_to_the_release(name: str) -> None:
    status, processes = run(name, '--help', processes=RecordedProcesses({'systemd-run': Ended(2)}))
    assert status == 2
    assert processes.commands[-1][-2:] == [name, '--help']


@pytest.mark.parametrize(
    'arguments',
    [['logs', '0'], ['logs', 'all'], ['logs', '--tail'], ['visitors', '10000'], ['visitors', '-1'], ['visitors', '٣'], ['workers'], ['workers', 'restart']],
)
def test_invalid_arguments_exit_with_2_and_do_nothing(arguments: list[str], capsys: Output) -> None:
    processes = RecordedProcesses()
    with pytest.raises(SystemExit) as ended:
        run(*arguments, processes=processes)
    assert ended.value.code == 2
    assert processes.commands == []
    assert 'usage: map-app' in capsys.readouterr().err


def test_a_failure_prints_one_sentence_and_exits_with_1(capsys: Output) -> None:
    status, _ = run('workers', 'start', processes=RecordedProcesses({'systemctl restart': Ended(1)}))
    assert status == 1
    assert capsys.readouterr().err.startswith('map-app workers: Not every worker started')


def test_other_users_are_told_to_use_sudo(capsys: Output) -> None:
    with mock.patch('os.geteuid', return_value=1000):
        status, processes = run('staff', 'list')
    assert (status, processes.commands) == (1, [])
    assert 'sudo map-app staff list' in capsys.readouterr().err


def test_help_needs_no_root(capsys: Output) -> None:
    with mock.patch('os.geteuid', return_value=1000), pytest.raises(SystemExit) as ended:
        run('logs', '--help')
    assert ended.value.code == 0


def test_psql_receives_all_options_unchanged() -> None:
    processes = RecordedProcesses()
    with pytest.raises(Replaced):
        run('psql', '--help=commands', '-c', 'select 1', processes=processes)
    assert processes.commands[-1][-3:] == ['--help=commands', '-c', 'select 1']


def test_logs_takes_a_number_of_lines() -> None:
    _, processes = run('logs', '7', '--follow')
    assert processes.texts == ['journalctl --no-pager --no-hostname --lines=7 --follow --unit=map-app@* --unit=map-app']


class TestVisitors:
    processes = RecordedProcesses({'runuser': Ended(0, '[{"day": "2026-11-26", "pins": 3}, {"day": "2026-11-25", "pins": 0}]\t41\n')})

    def test_text(self, capsys: Output) -> None:
        assert run('visitors', '2', processes=self.processes)[0] == 0
        assert capsys.readouterr().out == '2026-11-26\t3 pins (today)\n2026-11-25\t0 pins\ntotal\t41 pins\n'

    def test_json(self, capsys: Output) -> None:
        assert run('visitors', '--json', processes=self.processes)[0] == 0
        assert json.loads(capsys.readouterr().out) == {'days': [{'day': '2026-11-26', 'pins': 3}, {'day': '2026-11-25', 'pins': 0}], 'total': 41}


class TestWorkers:
    def test_check_does_nothing(self, capsys: Output) -> None:
        status, processes = run('workers', 'reload', '--check')
        assert status == 0
        assert [command[1] for command in processes.commands] == ['list-units']
        assert capsys.readouterr().out == 'would stop: none\nwould restart: map-app@1.service map-app@2.service\n'

    def test_json_contains_the_result(self, capsys: Output) -> None:
        run('workers', 'start', '--json')
        assert json.loads(capsys.readouterr().out) == {'changed': True, 'restarts': ['map-app@1.service', 'map-app@2.service'], 'stops': []}

    def test_json_reports_no_change_for_a_stop_within_a_restart(self, capsys: Output) -> None:
        run('workers', 'stop', '--json', processes=RecordedProcesses({'systemctl list-jobs': Ended(0, '1 map-app.service restart running\n')}))
        assert json.loads(capsys.readouterr().out) == {'changed': False, 'restarts': [], 'stops': []}

    def test_a_machine_without_the_api_is_rejected(self, capsys: Output) -> None:
        with mock.patch('map_app.settings.read', return_value=Settings({})):
            assert run('workers', 'start')[0] == 1
        assert 'The API is not installed on this machine' in capsys.readouterr().err
