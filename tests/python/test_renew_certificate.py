"""The delay before the next request to the certificate authority."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / 'roles/certificates/files/renew-certificate.py'
spec = importlib.util.spec_from_file_location('renew_certificate', SCRIPT)
renew = importlib.util.module_from_spec(spec)
spec.loader.exec_module(renew)

# Error messages of Let's Encrypt (Boulder, 2025).
LIMITED = (
    'An unexpected error occurred:\nError creating new order :: too many failed authorizations (5) for "map.example.org" in the last 1h0m0s, '
    'retry after 2026-11-27 12:30:00 UTC: see https://letsencrypt.org/docs/rate-limits/#authorization-failures-per-hostname-per-account'
)
PAUSED = (
    'urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: Your account is temporarily prevented from requesting '
    'certificates for map.example.org and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def-g'
)


class BackOff(unittest.TestCase):
    def test_doubles_from_20_minutes_to_12_hours(self):
        self.assertEqual([renew.pause(failures) // 60 for failures in range(1, 9)], [20, 40, 80, 160, 320, 640, 720, 720])

    def test_stays_far_below_what_pauses_a_name(self):
        tries, now = 0, 0
        while now < 365 * 86_400:
            tries += 1
            now += renew.pause(tries)
        self.assertLess(tries, 740)

    def test_is_forgotten_after_a_success(self):
        state = renew.after({'failures': 9}, 0, '', 1000.0)
        self.assertEqual((state['failures'], state['next']), (0, 1000.0 + 12 * 3600))


class Refusals(unittest.TestCase):
    def test_a_limit_with_its_end(self):
        state = renew.after({}, 1, LIMITED, 1_795_000_000.0)
        self.assertEqual((state['kind'], renew.utc(state['next'])), ('limited', '2026-11-27 12:30 UTC'))

    def test_a_limit_that_does_not_name_its_end(self):
        state = renew.after({}, 1, 'urn:ietf:params:acme:error:rateLimited :: too many certificates already issued', 0.0)
        self.assertEqual((state['kind'], state['next']), ('limited', 12 * 3600))

    def test_a_pause_with_where_to_lift_it(self):
        state = renew.after({'failures': 3}, 1, PAUSED, 0.0)
        self.assertEqual((state['kind'], state['url']), ('paused', 'https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def-g'))
        self.assertEqual(state['next'], 12 * 3600)

    def test_anything_else(self):
        state = renew.after({}, 1, 'Timeout during connect (likely firewall problem)', 0.0)
        self.assertEqual((state['kind'], state['next']), ('failed', 20 * 60))


class Script(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.state = self.folder / 'state.json'
        self.asked = self.folder / 'asked'

    def run_script(self, code, said='', by_timer=True):
        command = ['sh', '-c', f'echo >>{self.asked}; echo "{said}"; exit {code}']
        environment = {**os.environ, **({'TRIGGER_UNIT': 'certificates-renew.timer'} if by_timer else {})}
        return subprocess.run([sys.executable, SCRIPT, self.state, *command], env=environment, capture_output=True, text=True, check=False)

    def tries(self):
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0

    def test_the_timer_does_not_ask_before_its_time_and_a_person_does(self):
        self.assertEqual(self.run_script(1, 'no route').returncode, 1)
        self.assertEqual((self.run_script(1).returncode, self.tries()), (0, 1))
        self.assertEqual((self.run_script(1, by_timer=False).returncode, self.tries()), (1, 2))
        state = json.loads(self.state.read_text())
        self.assertEqual(state['failures'], 2)
        self.state.write_text(json.dumps({**state, 'next': time.time() - 1}))
        self.assertEqual((self.run_script(0).returncode, self.tries()), (0, 3))
        self.assertEqual(json.loads(self.state.read_text())['failures'], 0)

    def test_a_refused_nonce_is_tried_again_at_once(self):
        ended = self.run_script(1, 'badNonce :: JWS has an invalid anti-replay nonce')
        self.assertEqual((ended.returncode, self.tries()), (1, 5))
        self.assertEqual(json.loads(self.state.read_text())['failures'], 1)


if __name__ == '__main__':
    unittest.main()
