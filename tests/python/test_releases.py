"""Deploys after a rollback, and the list of releases."""

import importlib.util
import json
import os
import tempfile
import unittest
from pathlib import Path

from ansible.module_utils.releases import Releases

PLUGINS = Path(__file__).parents[2] / 'plugins'


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


deploy_release, choose_release = (load(PLUGINS / 'modules' / f'{name}.py') for name in ('deploy_release', 'choose_release'))
status_screen = load(PLUGINS / 'filter' / 'status_screen.py')


class AfterARollback(unittest.TestCase):
    """Three good releases, a to c. A rollback has replaced c with b."""

    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        self.releases = Releases(self.home)
        for when, version in enumerate('abc'):
            os.makedirs(self.releases.path(version))
            Path(self.releases.path(version), 'map-app.mjs').touch()
            Path(self.releases.path(version), 'manifest.json').write_text(json.dumps({'commit': f'{version * 40}-modified'}))
            self.releases.mark(version, 'good')
            os.utime(Path(self.releases.path(version), 'good'), (1000 + when, 1000 + when))
        self.releases.point('current', 'b')
        self.releases.go_back('b', 'c')

    def deploy(self, version, action='deploy'):
        options = {'home': self.home, 'version': version, 'action': action, 'workers': 2, 'files': [], 'address': 'https://map.example.org'}
        deploy = deploy_release.Deploy(options)
        return deploy.version, deploy.left

    def test_the_release_that_was_left_is_not_deployed_again(self):
        self.assertEqual(self.deploy('c'), ('b', 'c'))

    def test_a_newer_release_is_deployed(self):
        self.assertEqual(self.deploy('d'), ('d', None))

    def test_a_rollback_by_its_name_goes_to_it(self):
        self.assertEqual(self.deploy('c', 'rollback'), ('c', None))

    def test_two_rollbacks_are_kept(self):
        self.releases.point('current', 'a')
        self.releases.go_back('a', 'b')
        self.assertEqual([self.deploy(version) for version in 'bc'], [('a', 'b'), ('a', 'c')])

    def test_lists_say_that_files_were_modified(self):
        self.assertIn('commit bbbbbbbbbbbb-modified', choose_release.line(self.releases.describe('b')))
        self.assertEqual(status_screen.commit('b' * 40 + '-modified'), 'bbbbbbbbbb-modified')
        self.assertEqual(status_screen.commit('b' * 40), 'bbbbbbbbbb')


class OnOneScreen(unittest.TestCase):
    def test_a_fault_that_the_machine_names_is_not_told_twice(self):
        visited = {'problems': ['no DNS', 'returns 502 from this computer'], 'outage': ['returns 502 from this computer']}
        self.assertEqual(status_screen.seen_outside({'outage': ['returns 502 on the machine']}, visited), ['no DNS'])
        self.assertEqual(status_screen.seen_outside({'outage': []}, visited), visited['problems'])


if __name__ == '__main__':
    unittest.main()
