"""What the command map-app does by itself."""

import os
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).parents[2] / 'roles/map_app/templates/map-app.j2'


class Logs(unittest.TestCase):
    def setUp(self):
        self.programs = Path(self.enterContext(tempfile.TemporaryDirectory()))
        jinja = jinja2.Environment(trim_blocks=True)
        jinja.filters['quote'] = shlex.quote
        jinja.tests['match'] = str.startswith
        settings = {'__map_app_credentials': [], '__map_app_sandbox': '', '__map_app_database_is_here': False}
        self.program('map-app', jinja.from_string(TEMPLATE.read_text(encoding='utf-8')).render(settings))
        self.program('id', '#!/bin/sh\necho 0\n')
        self.program('journalctl', '#!/bin/sh\necho of the journal\n')

    def program(self, name, text):
        path = self.programs / name
        path.write_text(text, encoding='utf-8')
        path.chmod(0o755)

    def test_no_control_character_reaches_the_terminal(self):
        self.program(
            'tail',
            r"""#!/bin/sh
printf 'Z\303\274rich\t\033]0;title\007 \302\233 end\n'
""",
        )
        environment = {'PATH': f'{self.programs}:{os.environ["PATH"]}'}
        printed = subprocess.run([self.programs / 'map-app', 'logs'], env=environment, capture_output=True, text=True, check=True).stdout
        self.assertIn('Zürich\t?]0;title? ? end\n', printed)
        self.assertIn('of the journal\n', printed)
