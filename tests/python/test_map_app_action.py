"""The action that runs a verb of the map-app command."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail

from plugins.action import map_app


def action(status: int, output: str = '', errors: str = '', *, check: bool = False, **arguments: Any) -> map_app.ActionModule:
    """Returns the action for a task. The machine answers its command with this status and these outputs."""
    task = mock.Mock(check_mode=check, async_val=0, args={'argv': ['units'], **arguments}, _ansible_internal_redirect_list=[])
    made = map_app.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    made._low_level_execute_command = mock.Mock(return_value={'rc': status, 'stdout': output, 'stderr': errors})
    return made


def command_of(made: map_app.ActionModule) -> tuple[str, bytes]:
    call = made._low_level_execute_command.call_args
    return call.args[0], call.kwargs['in_data']


@pytest.mark.parametrize(
    ('options', 'check', 'command'),
    [
        ({}, False, '/usr/local/bin/map-app units --json'),
        ({}, True, '/usr/local/bin/map-app units --check --json'),
        ({'reads': True}, True, '/usr/local/bin/map-app units --json'),
        ({'plan': True}, False, '/usr/local/bin/map-app units --check --json'),
        ({'argv': ['note', "it's"]}, False, """/usr/local/bin/map-app note 'it'"'"'s' --json"""),
        ({'unit': 'a'}, False, 'systemd-run --quiet --pipe --wait --collect --unit=a /usr/local/bin/map-app units --json'),
        ({'unit': 'a'}, True, '/usr/local/bin/map-app units --check --json'),
    ],
)
def test_runs_the_verb_without_changes_in_check_mode(options: dict[str, Any], check: bool, command: str) -> None:
    made = action(0, '{"changed": true, "message": "Done."}', check=check, **options)
    result = made.run(task_vars={})
    assert command_of(made) == (command, b'\n')
    assert (result['changed'], result['failed'], result['msg']) == (not options.get('plan', False), False, 'Done.')


def test_passes_the_input_and_returns_the_output() -> None:
    made = action(0, '{"changed": false, "message": "", "stale": {}, "diff": {"before": "", "after": "a"}}', input={'units': []})
    result = made.run(task_vars={})
    assert json.loads(command_of(made)[1]) == {'units': []}
    assert (result['changed'], result['result']['stale'], result['diff']) == (False, {}, {'before': '', 'after': 'a'})


def test_a_failure_has_the_message_of_the_verb() -> None:
    result = action(1, '{"changed": true, "failed": true, "message": "nginx.service does not start."}').run(task_vars={})
    assert (result['failed'], result['changed'], result['msg']) == (True, True, 'nginx.service does not start.')


@pytest.mark.parametrize(
    ('status', 'fault'), [(2, 'is of another release than these playbooks: run site.yml'), (127, 'is not installed on this machine: run site.yml')]
)
def test_a_missing_or_outdated_command_fails_a_run_but_not_a_check(status: int, fault: str) -> None:
    with pytest.raises(AnsibleActionFail, match=fault):
        action(status).run(task_vars={})
    assert action(status, check=True).run(task_vars={})['changed'] is True


def test_a_check_runs_nothing_if_a_requirement_is_missing() -> None:
    made = action(0, check=True, pending=True)
    assert made.run(task_vars={})['changed'] is True
    made._low_level_execute_command.assert_not_called()


def test_output_that_is_not_json_is_an_error_with_its_text() -> None:
    with pytest.raises(AnsibleActionFail, match='map-app units exited with status 1: Killed'):
        action(1, '', 'Killed\n').run(task_vars={})
