"""Unit tests of what runs on the machines. Their modules are imported as Ansible does it: as parts of ansible.module_utils."""

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parents[2] / 'plugins' / 'module_utils'))
