"""The screen of playbooks/status.yml."""

import importlib.util
import unittest
from pathlib import Path

SPEC = importlib.util.spec_from_file_location('status_screen', Path(__file__).parents[2] / 'plugins/filter/status_screen.py')
status_screen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(status_screen)


class Screen(unittest.TestCase):
    def test_a_fault_that_the_machine_reports_is_not_reported_twice(self):
        visited = {'problems': ['no DNS', 'returns 502 from this computer'], 'outage': ['returns 502 from this computer']}
        self.assertEqual(status_screen.seen_outside({'outage': ['returns 502 on the machine']}, visited), ['no DNS'])
        self.assertEqual(status_screen.seen_outside({'outage': []}, visited), visited['problems'])

    def test_a_machine_that_cannot_be_read_has_a_problem(self):
        machines = status_screen.machine_states({'map': {'looked': {'msg': 'no route\n'}}}, ['map'])
        self.assertEqual(status_screen.status_screen(machines), 'map (map): 1 problem\n  PROBLEM            Its state cannot be read: no route')
