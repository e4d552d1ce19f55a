"""What `map-app workers` does to the units."""

from __future__ import annotations

import pytest
from map_app.errors import Failure
from map_app.processes import Ended
from map_app.units import Units
from map_app.workers import Plan, Workers

from .stand_ins import RecordedProcesses, settings

LIST = 'systemctl list-units'
JOBS = 'systemctl list-jobs'


def listed(*numbers: int) -> Ended:
    return Ended(0, ''.join(f'map-app@{number}.service loaded active running Map worker {number}\n' for number in numbers))


def run(action: str, **answers: Ended) -> RecordedProcesses:
    """Runs an action. `answers` are the results of systemctl's commands, by the names in `beginning_of`."""
    processes = RecordedProcesses({LIST: listed(1, 2), **{beginning_of(name): answer for name, answer in answers.items()}})
    workers = Workers(settings().app(), Units(processes))
    try:
        workers.run(action, workers.plan(action))
    finally:
        processes.commands = [command for command in processes.commands if command[1] not in ('list-units', 'list-jobs')]
    return processes


def beginning_of(name: str) -> str:
    return {'listed': LIST, 'jobs': JOBS, 'first': 'systemctl restart map-app@1.service', 'stop': 'systemctl stop'}[name]


def test_start_starts_all_workers_at_once() -> None:
    assert run('start').texts == ['systemctl restart map-app@1.service map-app@2.service']


def test_start_first_stops_workers_beyond_the_configured_number() -> None:
    processes = run('start', listed=listed(4, 1, 2, 3))
    assert processes.texts == ['systemctl stop map-app@3.service map-app@4.service', 'systemctl restart map-app@1.service map-app@2.service']


def test_start_fails_if_a_worker_does_not_start() -> None:
    with pytest.raises(Failure, match=r"journalctl --unit='map-app@\*\.service'"):
        run('start', first=Ended(1))


def test_reload_restarts_one_worker_after_the_other_and_stops_surplus_ones_last() -> None:
    assert run('reload', listed=listed(1, 2, 3)).texts == [
        'systemctl restart map-app@1.service',
        'systemctl restart map-app@2.service',
        'systemctl stop map-app@3.service',
    ]


def test_reload_ends_at_the_first_worker_that_does_not_start() -> None:
    processes = RecordedProcesses({LIST: listed(1, 2, 3), 'systemctl restart map-app@1.service': Ended(1)})
    workers = Workers(settings().app(), Units(processes))
    with pytest.raises(Failure, match=r'map-app@1\.service did not start again.*journalctl --unit=map-app@1\.service'):
        workers.run('reload', workers.plan('reload'))
    assert [text for text in processes.texts if 'list-units' not in text] == ['systemctl restart map-app@1.service']


def test_stop_closes_the_socket_before_the_workers() -> None:
    assert run('stop').texts == ['systemctl stop --job-mode=ignore-dependencies map-app.socket', 'systemctl stop map-app@*.service']


@pytest.mark.parametrize('kind', ['restart', 'try-restart'])
def test_stop_keeps_socket_and_workers_in_a_restart_of_the_service(kind: str) -> None:
    assert run('stop', jobs=Ended(0, f'812 map-app.service {kind} running\n')).texts == []


def test_the_name_of_a_unit_does_not_make_a_stop_a_restart() -> None:
    assert len(run('stop', jobs=Ended(0, '812 restart-map-app.service stop running\n')).texts) == 2


def test_a_worker_that_does_not_stop_is_a_failure_with_the_message_of_systemctl() -> None:
    with pytest.raises(Failure, match='systemctl stop failed: Access denied'):
        run('stop', stop=Ended(1, errors='Access denied\n'))


def test_workers_that_are_loaded_but_do_not_run_are_stopped_too() -> None:
    processes = RecordedProcesses({LIST: listed(3)})
    Units(processes).loaded('map-app@*.service')
    assert '--all' in processes.commands[0]


def test_a_plan_changes_nothing() -> None:
    processes = RecordedProcesses({LIST: listed(1, 2, 3)})
    workers = Workers(settings().app(), Units(processes))
    assert workers.plan('reload') == Plan(['map-app@1.service', 'map-app@2.service'], ['map-app@3.service'])
    assert workers.plan('stop') == Plan([], ['map-app.socket', 'map-app@1.service', 'map-app@2.service', 'map-app@3.service'])
    assert {command[1] for command in processes.commands} == {'list-units', 'list-jobs'}
