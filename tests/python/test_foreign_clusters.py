"""Detection of PostgreSQL servers that the playbooks did not create."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / 'roles/postgresql/files/foreign-clusters'


class ForeignClusters(unittest.TestCase):
    def setUp(self):
        self.settings = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.programs = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.program('ss', '')

    def program(self, name, output):
        path = self.programs / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}END\n", encoding='utf-8')
        path.chmod(0o755)

    def found(self, *clusters, ours=()):
        """Returns the output lines of the script for version 17. `ours`: clusters with the playbooks' settings."""
        self.program('pg_lsclusters', ''.join(f'{version} {name} 5432 online postgres /data /log\n' for version, name in clusters))
        for version, name in ours:
            folder = self.settings / version / name / 'conf.d'
            folder.mkdir(parents=True)
            (folder / 'map-app.conf').touch()
        environment = {'PATH': f'{self.programs}:{os.environ["PATH"]}', 'PG_CLUSTER_CONF_ROOT': str(self.settings)}
        return subprocess.run(['sh', SCRIPT, '17'], env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    def test_a_managed_cluster(self):
        self.assertEqual(self.found(('17', 'main'), ours=[('17', 'main')]), [])

    def test_a_foreign_cluster_next_to_a_managed_one(self):
        self.assertEqual(self.found(('17', 'main'), ('17', 'shop'), ours=[('17', 'main')]), ['cluster 17/shop on port 5432 (online)'])

    def test_a_foreign_cluster(self):
        self.assertEqual(self.found(('17', 'main')), ['cluster 17/main on port 5432 (online)'])

    def test_a_managed_cluster_of_an_earlier_system_is_not_foreign(self):
        self.assertEqual(self.found(('15', 'main'), ours=[('15', 'main')]), ['former 15'])
