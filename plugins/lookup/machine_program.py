"""Builds the program that runs on the server."""

from __future__ import annotations

DOCUMENTATION = r"""
name: machine_program
short_description: Build the program that runs on the server
description:
  - Builds C(machine/map_app) into one file on the controller, in Ansible's temporary folder, and returns its path, or only its SHA-256.
  - The same source gives the same bytes, so that a task that copies the file only changes something after the source has changed.
options:
  digest:
    description: Whether to return the SHA-256 of the file instead of its path.
    type: bool
    default: false
author:
  - map-app
"""

EXAMPLES = r"""
- name: Install the map-app command
  ansible.builtin.copy:
    src: "{{ lookup('machine_program') }}"
    dest: /usr/local/bin/map-app

- name: Print the SHA-256 of the map-app command
  ansible.builtin.debug:
    msg: "{{ lookup('machine_program', digest=true) }}"
"""

RETURN = r"""
_list:
  description: The path of the file, or its SHA-256.
  type: list
  elements: str
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

BUILD = Path(__file__).parents[2] / 'machine' / 'build.py'


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        spec = importlib.util.spec_from_file_location('machine_build', BUILD)
        assert spec is not None
        assert spec.loader is not None
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        self.set_options(var_options=variables, direct=kwargs)
        if self.get_option('digest'):
            return [hashlib.sha256(build.build()).hexdigest()]
        # Ansible removes this folder at its end.
        path = Path(constants.DEFAULT_LOCAL_TMP, 'map-app')
        build.write(path)
        return [str(path)]
