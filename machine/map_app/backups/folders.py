"""Reads and writes in folders of postgres. root opens no path in them, because postgres could replace any part of the path with a link.

All work in them is done by programs that run as postgres.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..processes import Processes

# Calls renameat2(2) with RENAME_EXCHANGE. coreutils has an option for it only since version 9.5.
EXCHANGE = """
import ctypes, os, sys
at_present, swap = -100, 2
if ctypes.CDLL(None, use_errno=True).renameat2(at_present, os.fsencode(sys.argv[1]), at_present, os.fsencode(sys.argv[2]), swap):
    sys.exit(f'{sys.argv[1]}: {os.strerror(ctypes.get_errno())}')
"""
USER = 'postgres'


class Folders:
    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def make(self, folder: Path) -> None:
        """Creates a folder that only postgres may enter, unless it exists."""
        self.processes.require(['mkdir', '--parents', '--mode=0700', str(folder)], user=USER)

    def remove(self, path: Path) -> None:
        """Removes a file or a whole folder. It need not exist."""
        self.processes.require(['rm', '--recursive', '--force', '--', str(path)], user=USER)

    def exists(self, path: Path) -> bool:
        return self.processes.run(['test', '-e', str(path)], user=USER).status == 0

    def write(self, path: Path, content: bytes) -> None:
        """Writes bytes to a file that only postgres may read."""
        # In a shell that redirects the output, because `convert` would capture it.
        self.processes.convert(['sh', '-c', 'exec cat >"$1"', 'sh', str(path)], content, user=USER, umask=0o077)

    def read(self, path: Path) -> bytes:
        """Returns the bytes of a file."""
        return self.processes.convert(['cat', '--', str(path)], b'', user=USER)

    def exchange(self, one: Path, other: Path) -> None:
        """Exchanges two folders atomically, so that each always contains a cluster."""
        self.make(one)
        self.processes.require([sys.executable, '-I', '-c', EXCHANGE, str(one), str(other)], user=USER)
