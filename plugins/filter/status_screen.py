"""Format the state of the machines for one screen."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

# The screen of one machine is the same as that of `map-app status` on it.
SPEC = importlib.util.spec_from_file_location('map_app_screen', Path(__file__).parents[2] / 'machine/map_app/screen.py')
assert SPEC is not None
assert SPEC.loader is not None
screen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(screen)


def seen_outside(looked: dict[str, Any], visited: dict[str, Any]) -> list[str]:
    """Returns the problems found from this computer, without those that the machine itself reports."""
    known = visited.get('outage', []) if looked.get('outage') else []
    return [problem for problem in visited.get('problems', []) if problem not in known]


def machine_states(hostvars: dict[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Yields the results of playbooks/status.yml for each host: address, status and problems."""
    machines = {}
    for host in hosts:
        seen = hostvars[host]
        looked, visited = (seen.get(name, {}) for name in ('looked', 'visited'))
        problems = looked.get('problems', []) + seen_outside(looked, visited)
        machine = {'address': seen.get('ansible_host', host), 'status': None, 'problems': problems}
        if 'status' in looked and 'drift' in looked:
            machine['status'] = {**looked['status'], 'drift': looked['drift'], 'visited': visited if 'addresses' in visited else None}
        else:
            machine['problems'] += [f'Its state cannot be read: {str(looked.get("msg") or "no answer").strip()}']
        machines[host] = machine
    return machines


def status_screen(machines: dict[str, Any]) -> str:
    """
    @param machines: what machine_states returns
    @returns the lines of the screen as one text
    """
    lines = []
    for host, machine in machines.items():
        lines += [f'{host} ({machine["address"]}): {screen.verdict(machine["problems"])}']
        lines += [*screen.screen(machine['status'], machine['problems']), '']
    return '\n'.join(lines).rstrip()


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {'machine_states': machine_states, 'seen_outside': seen_outside, 'status_screen': status_screen}
