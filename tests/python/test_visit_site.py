"""Requests from the controller: distinguishes faults of the DNS record from faults of the machine."""

import importlib.util
import unittest
from pathlib import Path
from unittest import mock

SPEC = importlib.util.spec_from_file_location('visit_site', Path(__file__).parents[2] / 'plugins/modules/visit_site.py')
visit_site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(visit_site)

NAME, FORMER, OURS = 'map.centre.org', '203.0.113.5', '203.0.113.9'


def answer(certificate):
    return {
        'status': 200 if certificate else 0,
        'message': None,
        'error': None if certificate else 'no response within 8 s',
        'certificate': certificate,
        'seconds': 0.1,
    }


class Visits(unittest.TestCase):
    def visit(self, leads_to, fronts=(), **certificates):
        """Requests a site whose name resolves to `leads_to`. `certificates`: those that the former and the current machine serve; None: no response."""
        served = {FORMER: certificates.get('former'), OURS: certificates.get('ours')}
        names = {NAME: leads_to, 'machine': [OURS]}
        with (
            mock.patch.object(visit_site, 'resolve', names.get),
            mock.patch.object(visit_site, 'ssh_address', lambda machine: machine),
            mock.patch.object(visit_site.visits, 'visit', lambda name, address, path: answer(served[address])),
            mock.patch.object(visit_site.visits, 'judge_certificate', return_value=(None, None)),
        ):
            options = {'name': NAME, 'machine': 'machine', 'certificate': 'ours', 'fronts': list(fronts), 'closed': False, 'private': False}
            visitor = visit_site.Visitor(options)
            visitor.visit()
        return visitor

    def test_no_problem(self):
        visitor = self.visit([OURS], ours='ours')
        self.assertEqual((visitor.problems, visitor.outage), ([], []))

    def test_the_machine_does_not_respond(self):
        visitor = self.visit([OURS])
        self.assertEqual(len(visitor.outage), 1)
        self.assertEqual(visitor.problems, visitor.outage)

    def test_the_name_resolves_to_a_lost_server(self):
        visitor = self.visit([FORMER], ours='ours')
        self.assertEqual(visitor.outage, [])
        self.assertEqual(
            visitor.problems, [f'{NAME} resolves to {FORMER}, where no server responds, but the machine responds at {OURS}: correct the DNS record.']
        )

    def test_neither_responds(self):
        self.assertEqual(len(self.visit([FORMER]).outage), 2)

    def test_another_server_responds(self):
        visitor = self.visit([FORMER], former='another', ours='ours')
        self.assertEqual(visitor.outage, [])
        self.assertRegex(visitor.problems[0], 'another server responds')

    def test_a_load_balancer_responds(self):
        visitor = self.visit([FORMER], fronts=[FORMER], former='its own', ours='ours')
        self.assertEqual((visitor.problems, visitor.outage), ([], []))
        self.assertRegex(visitor.notes[0], f'{FORMER}, which preflight_public_addresses lists')

    def test_a_load_balancer_responds_for_a_dead_machine(self):
        self.assertEqual(len(self.visit([FORMER], fronts=[FORMER], former='its own').outage), 1)

    def test_a_load_balancer_is_dead(self):
        self.assertRegex(self.visit([FORMER], fronts=[FORMER], ours='ours').problems[0], f'{FORMER}, where no server responds')
