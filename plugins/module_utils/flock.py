"""A lock between processes of one machine."""

from __future__ import annotations

import contextlib
import fcntl
import os


@contextlib.contextmanager
def locked(folder):
    """
    Hold an exclusive lock on a folder; wait where another process holds it. The kernel releases the lock of a process that dies.
    It is also released at the end of the block: under Mitogen the process outlives the module.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
