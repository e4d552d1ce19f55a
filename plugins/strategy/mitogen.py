"""The strategy `linear` over Mitogen, which keeps one Python process on each machine instead of starting one for each task."""

from __future__ import annotations

import os
from typing import Any

from ansible_mitogen.connection import Connection

# Mitogen's plugin imports its own modules by their real names, so that Ansible's loader does not load them a second time.
from ansible_mitogen.plugins.strategy.mitogen_linear import StrategyModule

__all__ = ['StrategyModule']

# Mitogen starts sudo without a shell, so it cannot run the command in ansible.cfg that selects one.
os.environ['ANSIBLE_SUDO_EXE'] = 'sudo'

put_file = Connection.put_file


def put_file_as_new(self: Any, in_path: str, out_path: str) -> None:
    """
    Copy a file and set its times to now, as Ansible's own connections do. Mitogen keeps the times of the file on the
    controller, so `map-app units` would not detect that a unit started before the file was written.
    """
    put_file(self, in_path, out_path)
    self.get_chain().call(os.utime, str(out_path))


Connection.put_file = put_file_as_new
