"""Unit tests of the Python code for the machines. Like Ansible, imports module_utils as parts of ansible.module_utils."""

from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).parents[2]
ansible.module_utils.__path__ += [str(ROOT / 'plugins' / 'module_utils'), str(ROOT / 'machine')]
