"""Unit tests of the Python code for the machines. Like Ansible, imports module_utils as parts of ansible.module_utils."""

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parents[2] / 'plugins' / 'module_utils'))
