"""Runs the verbs of the map-app command for the modules."""

from __future__ import annotations

import json
import os
from typing import Any

COMMAND = '/usr/local/bin/map-app'
# The exit status of an invalid command line.
WRONG_USE = 2
OUTDATED = 'The map-app command on this machine is of another release than these playbooks: run site.yml.'


def is_installed() -> bool:
    return os.path.exists(COMMAND)


def run(module: Any, argv: list[str], unit: str | None = None, text: str | None = None) -> dict[str, Any]:
    """
    Runs a verb with --json. Ends the module if it fails, or is not installed.
    @param unit: the name of a systemd unit to run it in, which continues if the connection breaks
    @param text: its input
    @returns its output
    """
    status, result = attempt(module, argv, unit, text)
    if status != 0:
        module.fail_json(msg=result.get('message', ''), changed=result.get('changed', False), result=result)
    return result


def attempt(module: Any, argv: list[str], unit: str | None = None, text: str | None = None) -> tuple[int, dict[str, Any]]:
    """
    Like run, for a verb whose failure is a result. In check mode the command may be of an earlier release, which does not have the verb. Then
    the module ends with a predicted change.
    @returns its exit status and its output
    """
    if not is_installed():
        module.fail_json(msg='The map-app command is not installed on this machine: run site.yml first.')
    command = [COMMAND, *argv, '--json']
    if unit:
        command = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', f'--unit={unit}', *command]
    status, output, errors = module.run_command(command, data=text)
    if status == WRONG_USE and module.check_mode:
        module.exit_json(changed=True, msg=f'map-app {" ".join(argv)} would be run once the map-app command is up to date.')
    if status == WRONG_USE:
        module.fail_json(msg=f'{OUTDATED} {errors.strip()}')
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        verb = ' '.join(['map-app', *argv])
        module.fail_json(msg=f'{verb} exited with status {status}: {errors.strip() or output.strip() or "it printed nothing"}')
        raise
    return status, result
